"""Runs drills for tests, in this process or as a user does, and checks that a finished run left nothing behind."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from harness.cluster.fault_plane import PlaneKind, toxiproxy_binary
from harness.model.drill import Drill
from harness.run.runner import CompletedRun, run
from harness.run.spec import RunSpec
from tests.helpers.commands import forked
from tests.helpers.real_toxiproxy import need_toxiproxy

ROOT = Path(__file__).parents[2]
DEADLINE_S = 30.0
"""Far above what anything here takes, so that a busy machine does not decide."""


def run_drill(drill: Drill, runs: Path, *, seed: int = 1, plane: PlaneKind = "embedded") -> CompletedRun:
    """Run a drill in this process."""
    return run(RunSpec(name="test/drill", title="A test", drill=drill, seed=seed, plane=plane), runs=runs)


@contextlib.contextmanager
def toxiproxy() -> Iterator[int]:
    """The port of a real Toxiproxy that is not the harness's."""
    need_toxiproxy()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    process = subprocess.Popen(
        [str(toxiproxy_binary()), "-host", "127.0.0.1", "-port", str(port), "-proxy-metrics"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: accepts(port))
        yield port
    finally:
        process.kill()
        process.wait()


def accepts(port: int) -> bool:
    """Whether a process accepts connections on a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(true: Callable[[], object]) -> None:
    """Wait for a condition; fail if it does not come true."""
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def write_drill(folder: Path, name: str, body: str) -> None:
    """A drill file in a user's own folder; everything that drills use is imported already."""
    file = folder / "drills" / f"{name}.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        f'"""{name} is a test."""\n'
        "from tests.helpers.echo import Echo, Led, Numbers\n"
        "from faults.kill import Kill\nfrom faults.latency import Latency\n"
        "from faults.partition import Isolate, Partition\nfrom faults.pause import Pause\n"
        "from harness.model.composition import RandomFaults; from harness.model.drill import Drill;"
        " from harness.model.load import Load\n" + body
    )


def environment(**more: str) -> dict[str, str]:
    """The environment of a user's shell in which the tests' own systems can be imported."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "TOXIPROXY_URL": "", "COLUMNS": "200", **more}


def harness(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """The `harness` command in a user's folder."""
    return forked(folder, arguments, environment(**more))


@contextlib.contextmanager
def harness_running(folder: Path, *arguments: str, **more: str) -> Iterator[subprocess.Popen[str]]:
    """The same command while it runs; killed at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.cli", *arguments],
        cwd=folder, env=environment(**more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def processes_in(folder: Path, name: str | None = None) -> list[psutil.Process]:
    """Every process whose working folder is this one or one below: the nodes of its runs, and the processes that run them."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            working = Path(process.cwd())
            if working.is_relative_to(folder) and name in (None, working.name) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def node_process(folder: Path, node: str) -> psutil.Process | None:
    """The process of one node of the run in a folder."""
    return next(iter(processes_in(folder, node)), None)


def listening_ports(folder: Path) -> set[int]:
    """The ports that the processes of a folder listen on."""
    ports = set()
    for process in processes_in(folder):
        with contextlib.suppress(psutil.Error):
            ports |= {c.laddr.port for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
    return ports


def nothing_left(folder: Path) -> bool:
    return not processes_in(folder)
