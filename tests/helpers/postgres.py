"""A real PostgreSQL server for tests: created in a temporary folder, reached through a socket there, and removed afterwards."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

HINT = "there is no PostgreSQL here: apt-get install postgresql"


class Postgres:
    """A server that runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"history_{secrets.token_hex(4)}"
        with psycopg.connect(host=str(self._folder), user="harness", dbname="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"postgresql://harness@/{name}?host={self._folder}"


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server while the context lasts. Skips the test if none is installed; in CI that is a failure."""
    programs = _programs()
    if programs is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(HINT)
    folder = Path(tempfile.mkdtemp(prefix="harness-pg-"))
    owner = ["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    if owner:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "nobody", "nogroup")
    as_owner = ["setpriv", *owner, "--pdeathsig", "INT"]
    data = folder / "data"
    make: list[str | Path] = [
        *as_owner,
        programs / "initdb",
        "-D",
        data,
        "-U",
        "harness",
        "-A",
        "trust",
        "--no-sync",
        "-E",
        "UTF8",
        "--locale",
        "C",
    ]
    try:
        subprocess.run(make, check=True, capture_output=True, cwd=folder)
        serve: list[str | Path] = [*as_owner, programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-F"]
        with (folder / "log").open("wb") as log, subprocess.Popen(serve, cwd=folder, stdout=log, stderr=log) as server:
            try:
                _until_ready(programs, folder, server)
                yield Postgres(folder)
            finally:
                server.send_signal(signal.SIGINT)  # PostgreSQL's "fast" shutdown
    finally:
        shutil.rmtree(folder)


def _programs() -> Path | None:
    """Where `initdb` and `postgres` are: on PATH, or where Debian puts them."""
    on_path = shutil.which("initdb")
    kept = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    return Path(on_path).resolve().parent if on_path else kept[-1] if kept else None


def _until_ready(programs: Path, folder: Path, server: subprocess.Popen[bytes]) -> None:
    ask: list[str | Path] = [programs / "pg_isready", "-h", folder, "-q"]
    while server.poll() is None:
        if subprocess.run(ask, check=False, timeout=10).returncode == 0:
            return
    pytest.fail(f"PostgreSQL did not start: {(folder / 'log').read_text()}")
