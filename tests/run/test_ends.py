"""However a run ends, nothing is left: no process, no port, no proxy on a shared Toxiproxy."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.helpers.effort import left_to_ci
from tests.helpers.engine import (
    accepts,
    harness_running,
    listening_ports,
    node_process,
    nothing_left,
    toxiproxy,
    until,
    write_drill,
)

EVERY_FAULT = """
drill = Drill(
    system=Echo(replicas=4), workload=Numbers(), load=Load(rate=50, seconds=60),
    faults=[fault.between(0.1, 59) for fault in (Kill("n1"), Pause("n2"), Latency("n3", delay_ms=20), Isolate("n4"))],
)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    with toxiproxy() as port:
        yield port


@pytest.fixture(params=["embedded", left_to_ci("external toxiproxy")])
def plane(request: pytest.FixtureRequest) -> int | None:
    """The port of a running Toxiproxy; None for the embedded one."""
    return request.getfixturevalue("server") if request.param != "embedded" else None


def proxies(port: int) -> dict[str, dict[str, list[object]]]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/proxies", timeout=5) as reply:
        return json.load(reply)  # type: ignore[no-any-return]


def stopped(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return False


def wait_for_every_fault(folder: Path, plane: int | None) -> None:
    """Return when each fault visibly acts, seen from outside."""
    until(lambda: (node := node_process(folder, "n2")) and stopped(node))
    until(lambda: node_process(folder, "n1") is None)
    if plane is not None:
        until(lambda: sum(len(proxy["toxics"]) for proxy in proxies(plane).values()) >= 16)


def arguments(plane: int | None) -> list[str]:
    return ["drill", "every", *(["--fault-plane", "toxiproxy"] if plane else [])]


def more(plane: int | None) -> dict[str, str]:
    return {"TOXIPROXY_URL": f"http://127.0.0.1:{plane}"} if plane else {}


def assert_nothing_is_left(folder: Path, ports: set[int], plane: int | None) -> None:
    until(lambda: nothing_left(folder))
    assert not [port for port in ports if port != plane and accepts(port)]
    if plane is not None:
        until(lambda: proxies(plane) == {})


def test_the_harness_is_killed_amid_every_fault(tmp_path: Path, plane: int | None) -> None:
    write_drill(tmp_path, "every", EVERY_FAULT)
    with harness_running(tmp_path, *arguments(plane), **more(plane)) as run:
        wait_for_every_fault(tmp_path, plane)
        ports = listening_ports(tmp_path)
        assert len(ports) >= 4
        run.kill()
        run.wait()
        assert_nothing_is_left(tmp_path, ports, plane)


@pytest.mark.parametrize(
    ("times", "external"),
    [
        (1, False),
        left_to_ci(1, True),
        left_to_ci(2, True),
        left_to_ci(3, False),
    ],
)
def test_it_is_interrupted_amid_every_fault(tmp_path: Path, request: pytest.FixtureRequest, times: int, external: bool) -> None:
    plane = request.getfixturevalue("server") if external else None
    write_drill(tmp_path, "every", EVERY_FAULT)
    with harness_running(tmp_path, *arguments(plane), **more(plane)) as run:
        wait_for_every_fault(tmp_path, plane)
        ports = listening_ports(tmp_path)
        for _ in range(times):
            run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=60)
        assert said == "interrupted: everything that was started has been stopped\n"
        assert run.returncode == 130
        assert_nothing_is_left(tmp_path, ports, plane)


@pytest.mark.slow
def test_it_is_interrupted_as_it_starts(tmp_path: Path, server: int) -> None:
    write_drill(tmp_path, "every", EVERY_FAULT)
    with harness_running(tmp_path, *arguments(server), **more(server)) as run:
        until(lambda: proxies(server))  # amid the making of links
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=60)
        assert (run.returncode, said) == (130, "interrupted: everything that was started has been stopped\n")
        assert_nothing_is_left(tmp_path, set(), server)


@pytest.mark.slow
def test_the_warden_is_killed(tmp_path: Path) -> None:
    write_drill(tmp_path, "every", EVERY_FAULT)
    with harness_running(tmp_path, "drill", "every") as run:
        wait_for_every_fault(tmp_path, None)
        ports = listening_ports(tmp_path)
        node = node_process(tmp_path, "n2")
        assert node is not None
        warden = node.parent()
        assert warden is not None
        warden.kill()
        _, said = run.communicate(timeout=60)
        assert said.startswith("error: The process that starts the nodes has ended, and all nodes with it.")
        assert (run.returncode, said.count("\n")) == (70, 1)
        assert_nothing_is_left(tmp_path, ports, None)


@pytest.mark.slow
@pytest.mark.parametrize(("victim", "what"), [("fault-plane", "fault plane"), ("client", "load generator")])
def test_a_process_that_the_run_needs_is_killed(tmp_path: Path, victim: str, what: str) -> None:
    write_drill(tmp_path, "every", EVERY_FAULT)
    with harness_running(tmp_path, "drill", "every") as run:
        wait_for_every_fault(tmp_path, None)
        process = node_process(tmp_path, victim)
        assert process is not None
        process.kill()
        _, said = run.communicate(timeout=60)
        assert said.startswith(f"? unknown: The {what} ended during the run (pid {process.pid}, SIGKILL)")
        assert (run.returncode, said.count("\n")) == (4, 1)
        assert nothing_left(tmp_path)


@pytest.mark.slow
def test_a_shared_toxiproxy_is_killed(tmp_path: Path) -> None:
    write_drill(tmp_path, "every", EVERY_FAULT)
    with toxiproxy() as port:
        with harness_running(tmp_path, *arguments(port), TOXIPROXY_URL=f"127.0.0.1:{port}") as run:
            wait_for_every_fault(tmp_path, port)
            [server] = [p for p in psutil.Process().children() if "-proxy-metrics" in p.cmdline() and str(port) in p.cmdline()]
            server.kill()
            _, said = run.communicate(timeout=60)
        assert said.startswith(f"? unknown: The fault plane at 127.0.0.1:{port} does not answer")
        assert (run.returncode, said.count("\n")) == (4, 1)
        assert nothing_left(tmp_path)


@pytest.mark.usefixtures("hangup_not_ignored")
@pytest.mark.slow
def test_the_terminal_of_the_harness_goes_away(tmp_path: Path) -> None:
    write_drill(tmp_path, "every", EVERY_FAULT)
    with harness_running(tmp_path, "drill", "every") as run:
        wait_for_every_fault(tmp_path, None)
        os.kill(run.pid, signal.SIGHUP)
        run.wait(60)
        assert_nothing_is_left(tmp_path, set(), None)
