"""`harness heal` finds what runs left behind by its mark, and cleans it up; it leaves current runs alone."""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import requests

from harness.cli import heal
from harness.cluster import leftovers
from harness.cluster.warden_client import HARNESS_PID, HARNESS_RUN
from tests.helpers.engine import (
    harness,
    harness_running,
    node_process,
    nothing_left,
    processes_in,
    toxiproxy,
    until,
    write_drill,
)

PLAIN = "drill = Drill(system=Echo(replicas=2), workload=Numbers(), load=Load(rate=20, seconds=60))\n"

ESCAPING = """
from dataclasses import dataclass
from harness.model.system import Node
from escaping_system import Escaping
drill = Drill(system=Escaping(), workload=Numbers(), load=Load(rate=20, seconds=60))
"""

ESCAPING_SYSTEM = """
from dataclasses import dataclass
from tests.helpers.echo import Echo
from harness.model.system import Node

@dataclass(frozen=True, kw_only=True)
class Escaping(Echo):
    def nodes(self):
        return [Node(name="n1", code="tests.helpers.escaping")]
"""


def warden_of(folder: Path) -> psutil.Process:
    until(lambda: node_process(folder, "n1"))
    node = node_process(folder, "n1")
    assert node is not None
    warden = node.parent()
    assert warden is not None
    return warden


@pytest.mark.slow
def test_a_stopped_warden_and_its_nodes_are_ended(tmp_path: Path) -> None:
    write_drill(tmp_path, "plain", PLAIN)
    with harness_running(tmp_path, "drill", "plain") as run:
        warden = warden_of(tmp_path)
        until(lambda: node_process(tmp_path, "client"))
        warden.suspend()
        run.kill()
        run.wait()
        assert len(processes_in(tmp_path)) >= 3
        healed = harness(tmp_path, "heal")
        assert (healed.returncode, healed.stderr) == (0, "")
        assert re.search(rf"^resumed pid {warden.pid}, stopped in the run in .*/runs/plain/", healed.stdout, re.MULTILINE)
        assert nothing_left(tmp_path)
    assert str(tmp_path) not in harness(tmp_path, "heal").stdout


@pytest.mark.slow
def test_a_process_that_got_away_from_a_dead_run_is_killed(tmp_path: Path) -> None:
    (tmp_path / "escaping_system.py").write_text(ESCAPING_SYSTEM)
    write_drill(tmp_path, "escaping", ESCAPING)
    with harness_running(tmp_path, "drill", "escaping") as run:
        warden = warden_of(tmp_path)
        until(lambda: [p for p in processes_in(tmp_path) if p.name() == "sleep"])
        [escaped] = [p for p in processes_in(tmp_path) if p.name() == "sleep"]
        escaped.suspend()
        warden.kill()
        _, said = run.communicate(timeout=60)
    assert said.startswith("error: ")  # whatever it was waiting for, it noticed at once
    assert processes_in(tmp_path) == [escaped]
    healed = harness(tmp_path, "heal")
    assert healed.returncode == 0
    assert f"killed pid {escaped.pid}, left of the run in {tmp_path}/runs/escaping/" in healed.stdout
    assert f"resumed pid {escaped.pid}," not in healed.stdout  # it is no warden, and would not end by itself
    assert nothing_left(tmp_path)


@pytest.mark.slow
def test_a_run_that_goes_on_is_left_alone(tmp_path: Path) -> None:
    write_drill(tmp_path, "plain", PLAIN)
    with harness_running(tmp_path, "drill", "plain") as run:
        until(lambda: node_process(tmp_path, "client"))
        before = {process.pid for process in processes_in(tmp_path)}
        healed = harness(tmp_path, "heal")
        assert healed.returncode == 0
        [line] = [line for line in healed.stdout.splitlines() if str(tmp_path) in line]
        assert re.fullmatch(rf"left alone: the run in .*, whose harness still runs as pid {run.pid}", line)
        assert {process.pid for process in processes_in(tmp_path)} >= before
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=60)


def test_another_programs_variable_of_that_name_is_no_mark(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    with subprocess.Popen(command, env={**os.environ, HARNESS_RUN: str(tmp_path)}) as process:
        try:
            until(lambda: psutil.Process(process.pid).environ().get(HARNESS_RUN))
            assert str(tmp_path) not in [one.run for one in leftovers.marked()]
        finally:
            process.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a namespace of pids")
def test_a_run_in_a_container_is_left_alone(tmp_path: Path) -> None:
    """Its harness has another pid there, so that it cannot be found by it."""
    mark = [f"{HARNESS_RUN}={tmp_path}", f"{HARNESS_PID}=4194304"]
    for contained, found in (((), [None]), (("unshare", "--pid", "--fork"), [4194304])):
        process = subprocess.Popen([*contained, "env", *mark, "sleep", "600"])
        try:
            until(lambda: [one for one in leftovers.marked() if one.run == str(tmp_path)])
            assert [one.harness for one in leftovers.marked() if one.run == str(tmp_path)] == found
        finally:
            for one in psutil.Process(process.pid).children(recursive=True):
                one.kill()
            process.kill()
            process.wait()


def test_links_are_deleted_from_a_toxiproxy_and_nothing_else_is(tmp_path: Path) -> None:
    with toxiproxy() as port:
        url = f"http://127.0.0.1:{port}"
        for name in ("client>n1", "n1>n2", "web", "a>b>c", ">x"):
            proxy = {"name": name, "listen": "127.0.0.1:0", "upstream": "127.0.0.1:9"}
            requests.post(f"{url}/proxies", json=proxy, timeout=5).raise_for_status()
        healed = harness(tmp_path, "heal", TOXIPROXY_URL=url)
        assert (healed.returncode, healed.stderr) == (0, "")
        assert f"deleted the proxy client>n1 at 127.0.0.1:{port}\n" in healed.stdout
        assert set(requests.get(f"{url}/proxies", timeout=5).json()) == {"web", "a>b>c", ">x"}


@pytest.mark.slow
def test_links_of_a_run_that_goes_on_are_left_alone(tmp_path: Path) -> None:
    write_drill(tmp_path, "plain", PLAIN)
    with toxiproxy() as port:
        url = f"http://127.0.0.1:{port}"
        with harness_running(tmp_path, "drill", "plain", "--fault-plane", "toxiproxy", TOXIPROXY_URL=url) as run:
            until(lambda: node_process(tmp_path, "client"))
            healed = harness(tmp_path, "heal", TOXIPROXY_URL=url)
            assert f"left alone: 4 proxies at 127.0.0.1:{port}, while the run in {tmp_path}/runs/plain/" in healed.stdout
            assert "deleted" not in healed.stdout
            run.send_signal(signal.SIGINT)
            run.communicate(timeout=60)


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        (
            "http://127.0.0.1:9",
            70,
            "error: The Toxiproxy at TOXIPROXY_URL=http://127.0.0.1:9 does not answer or reports an error.",
        ),
        ("nonsense", 2, "error: TOXIPROXY_URL='nonsense': expected an address such as http://127.0.0.1:8474."),
    ],
)
def test_a_toxiproxy_that_is_not_there_is_said(tmp_path: Path, url: str, code: int, said: str) -> None:
    healed = harness(tmp_path, "heal", TOXIPROXY_URL=url)
    assert (healed.returncode, healed.stderr.count("\n")) == (code, 1)
    assert healed.stderr.startswith(said)


def test_nothing_to_heal_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(leftovers, "marked", lambda: iter(()))
    monkeypatch.setattr(leftovers, "sweep", list)
    monkeypatch.delenv("TOXIPROXY_URL", raising=False)
    assert heal.execute(argparse.Namespace()) == 0
    assert capsys.readouterr().out == "nothing to heal: found no process, no control group of any run\n"
