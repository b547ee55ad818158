"""The real Toxiproxy, for tests beside the embedded one: what is installed, or, if Go is there, built once and kept."""

from __future__ import annotations

import fcntl
import os
import shutil
from functools import cache
from typing import Literal

import pytest

from harness.cluster.fault_plane import install_toxiproxy, installed_toxiproxy
from harness.model.errors import HarnessError

HINT = "Put Go on PATH (apt-get install golang-go), and the tests build it; or set TOXIPROXY_SERVER to its server."


Program = Literal["server", "cli"]


def real_server() -> str:
    """The server's path. Skips the test if there is none and none can be built; in CI that is a failure."""
    return os.environ.get("TOXIPROXY_SERVER") or _found("server")


def real_cli() -> str:
    """The same of its command line client."""
    return _found("cli")


def need_toxiproxy() -> None:
    """Skip a test unless drills find the server (`toxiproxy_binary`), built for them if need be."""
    _found("server")


def _found(program: Program) -> str:
    path, why = _installed(program)
    if path is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"{why}. {HINT}")
    return path


@cache
def _installed(program: Program) -> tuple[str | None, str]:
    """Once a session: where it is, or why it is nowhere."""
    on_path, kept = shutil.which(f"toxiproxy-{program}"), installed_toxiproxy(program)
    if on_path or kept.exists():
        return on_path or str(kept), ""
    if shutil.which("go") is None:
        return None, f"there is no toxiproxy-{program} here, and no Go to build it"
    kept.parent.mkdir(parents=True, exist_ok=True)
    with kept.with_suffix(".lock").open("w") as lock:  # another session may be building it
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            return str(kept if kept.exists() else install_toxiproxy(program)), ""
        except HarnessError as error:
            return None, " ".join(str(error).split()).removesuffix(".")
