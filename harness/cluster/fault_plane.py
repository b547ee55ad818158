"""Start a fault plane: the embedded server or the real Toxiproxy; or use a Toxiproxy that already runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from harness.cluster.ports import HOST, listens
from harness.cluster.toxiproxy import FaultPlane
from harness.cluster.warden import DeleteAtEnd
from harness.cluster.warden_client import WardenClient, last_lines
from harness.model.errors import HarnessError, UsageError
from harness.model.system import Address
from harness.node.context import NodeSpec
from harness.paths import cache_dir

PlaneKind = Literal["embedded", "toxiproxy"]

EMBEDDED: Final = "faults.plane.node"
"""The embedded fault plane's module."""

PLANE: Final = "fault-plane"
"""The process name of a fault plane that a run started."""

TOXIPROXY_VERSION: Final = "v2.12.0"
TOXIPROXY_MODULE: Final = "github.com/Shopify/toxiproxy/v2/cmd"
_START_TIMEOUT_S: Final = 15.0


@contextlib.asynccontextmanager
async def opened_plane(
    kind: PlaneKind, processes: WardenClient, port: int, run_dir: Path, seed: int
) -> AsyncIterator[FaultPlane]:
    """A fault plane for one run. Its proxies go away with the run's processes, even if the harness is killed."""
    url = os.environ.get("TOXIPROXY_URL")
    if kind == "toxiproxy" and url:
        address = parse_url(url)
        yield FaultPlane(address, on_create=lambda name: processes.delete_at_end(DeleteAtEnd(address, [name])))
        return
    command: tuple[str, ...] = ()
    if kind == "toxiproxy":
        command = (str(toxiproxy_binary()), "-host", "{host}", "-port", "{port}", "-proxy-metrics")
    log, data = run_dir / "nodes" / f"{PLANE}.log", run_dir / "nodes" / PLANE
    spec = NodeSpec(
        name=PLANE, start=0, host=HOST, port=port, data=str(data), log=str(log), seed=seed,
        code=None if command else EMBEDDED, command=command, config={"seed": seed},
    )  # fmt: skip
    await _start(spec, processes)
    yield FaultPlane((HOST, port))


async def _start(spec: NodeSpec, processes: WardenClient) -> None:
    pid = await processes.start(spec)
    deadline, log = time.monotonic() + _START_TIMEOUT_S, Path(spec.log)
    while not (await _accepts(spec.port) and listens(pid, spec.port)):
        if processes.pid(PLANE) != pid or time.monotonic() > deadline:
            what = spec.code or spec.command[0]
            raise HarnessError(f"The fault plane ({what}) did not start. Its log ends: {last_lines(log, 3)}")
        await asyncio.sleep(0.004)


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True


def toxiproxy_binary() -> Path:
    """The real Toxiproxy's server, from PATH or from `harness toxiproxy install`. Raises `UsageError` if there is none."""
    on_path = shutil.which("toxiproxy-server")
    for candidate in ([Path(on_path)] if on_path else []) + [installed_toxiproxy()]:
        if candidate.exists():
            return candidate
    raise UsageError(
        "The real Toxiproxy was requested, but there is no toxiproxy-server on PATH and no TOXIPROXY_URL."
        " Run `harness toxiproxy install`, or use --fault-plane embedded."
    )


def install_toxiproxy(program: Literal["server", "cli"] = "server") -> Path:
    """Build the pinned version with `go install`; returns the binary. Raises `UsageError` if Go is missing."""
    go = shutil.which("go")
    if go is None:
        raise UsageError(
            "Installing Toxiproxy needs Go, but there is no `go` on PATH. Install Go, or use the embedded fault plane."
        )
    target = installed_toxiproxy(program)
    module = f"{TOXIPROXY_MODULE}/{program}@{TOXIPROXY_VERSION}"
    target.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "GOBIN": str(target.parent)}
    built = subprocess.run([go, "install", module], env=environment, capture_output=True, text=True, check=False)
    if built.returncode != 0:
        raise HarnessError(f"`go install {module}` failed: {built.stderr.strip()[-300:]}")
    (target.parent / program).replace(target)
    return target


def installed_toxiproxy(program: Literal["server", "cli"] = "server") -> Path:
    """The path where `install_toxiproxy` puts a program."""
    return cache_dir() / "bin" / f"toxiproxy-{program}"


def parse_url(url: str) -> Address:
    """The address in TOXIPROXY_URL. Raises `UsageError` if it is not an address."""
    parts = urlsplit(url if "//" in url else f"http://{url}")
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme != "http" or not parts.hostname or port is None:
        raise UsageError(f"TOXIPROXY_URL={url!r}: expected an address such as http://127.0.0.1:8474.")
    return parts.hostname, port
