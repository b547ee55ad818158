"""Who may control `harness ui`, its statistics, and what is left when it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from harness.cli.main import run
from tests.helpers.served import Served, gone, served

pytestmark = pytest.mark.skipif(
    find_spec("locust") is None, reason="locust is not installed: pip install 'distributed-ml-harness[ui]'"
)

PAUSE = json.dumps({"fault": "Pause", "target": "r1", "seconds": 60})


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("ui")) as one:
        yield one


@pytest.mark.parametrize("headers", [{}, {"X-Harness-Token": "guess"}])
def test_nothing_is_injected_without_the_pages_token(ui: Served, headers: dict[str, str]) -> None:
    assert ui.ask("POST", "/faults/inject", PAUSE, headers)[0] == 403
    assert "r1" not in [hit for window in state(ui)["windows"] for hit in window["targets"].split()]


@pytest.mark.parametrize("path", ["/faults/inject", "/faults/heal", "/swarm"])
def test_another_site_acts_on_nothing_even_with_the_token(ui: Served, path: str) -> None:
    headers = {"X-Harness-Token": ui.token(), "Origin": "http://elsewhere.example"}
    assert ui.ask("POST", path, PAUSE, headers)[0] == 403


@pytest.mark.parametrize("path", ["/", "/faults/state", "/stats/requests"])
def test_another_site_reads_nothing(ui: Served, path: str) -> None:
    assert not [name for name in ui.ask("GET", path)[2] if name.startswith("access-control-")]
    assert ui.ask("GET", path, headers={"Host": "elsewhere.example"})[0] == 421


def test_bad_input_is_answered_in_a_line(ui: Served) -> None:
    headers = {"X-Harness-Token": ui.token()}
    for body, said in [
        ('{"fault": "Pause", "target": "r9", "seconds": 1}', "No node or link called 'r9'"),
        ('{"fault": "Pulse", "target": "r1", "seconds": 1}', "No fault 'Pulse' applies"),
        ('{"fault": "Pause", "target": "r1", "seconds": -1}', "seconds: -1"),
        ('{"fault": "Pause"', "truncated"),
    ]:
        status, text, _ = ui.ask("POST", "/faults/inject", body, headers)
        assert status == 400
        assert said in text
        assert "\n" not in text


def test_only_faults_that_can_show_are_offered(ui: Served) -> None:
    offered = {fault["name"] for fault in state(ui)["faults"]}
    assert {"Pause", "Kill", "Latency", "Isolate", "SlowDisk"} <= offered
    assert not offered & {"Bridge", "MajorityRing", "ClockSkew", "ClockDrift", "ClockJump", "Blackhole", "Deploy"}


def test_a_rate_that_nothing_makes_is_refused_in_locusts_own_way(ui: Served) -> None:
    status, text, _ = ui.ask("POST", "/swarm", "user_count=5000000&spawn_rate=1", FORM)
    answer = json.loads(text)
    assert (status, answer["success"]) == (200, False)
    assert answer["message"] == "5,000,000 requests/s are more than can be made; ask for at most 1,000,000."


@pytest.mark.slow
@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        signal.SIGKILL,
        pytest.param(signal.SIGINT, marks=pytest.mark.nightly),
    ],
)
def test_nothing_is_left_however_it_ends(tmp_path: Path, number: int) -> None:
    with served(tmp_path) as one:
        assert one.ask("POST", "/swarm", "user_count=50&spawn_rate=50", FORM)[0] == 200
        assert one.ask("POST", "/faults/inject", PAUSE, {"X-Harness-Token": one.token()})[0] == 200
        family = one.family()
        assert len(family) > 5
        one.process.send_signal(number)
        assert gone(family)


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def state(ui: Served) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = json.loads(ui.ask("GET", "/faults/state")[1])
    return found


MERGED = """
from locust.stats import RequestStats
import numpy as np
from results.analysis.failures import FailureGroup
from results.analysis.histogram import Histogram
from workloads.load.engine import Snapshot
from workloads.load.locust import statistics

statistics.configure()
random = np.random.default_rng(1)
into, whole = RequestStats(), Histogram()
for part in range(4):
    latency = Histogram()
    latency.record((random.lognormal(1, 1, 25_000) * 1e6).astype(np.int64))
    whole.merge(latency)
    statistics.merge(into, "POST", "/x", Snapshot(
        at_ns=0, seconds=0.5, due=25_100, sent=25_050, ok=24_900, failed=100, wrong=60, unknown=40, latency=latency,
        service=latency, unanswered=Histogram(), send_lag=Histogram(), read_lag=Histogram(), starved_s=0.0, busy_s=0.0,
        queued_s=0.0, saturated_s=0.0, blocked_s=0.0, cpu_s=0.1, finished=False, failures=(
            FailureGroup(outcome="failed", reason="status 503", calls=100, example="overloaded"),
            FailureGroup(outcome="wrong", reason="wrong", calls=60))))
for entry in (into.total, into.entries[("/x", "POST")]):
    assert entry.num_requests == 4 * 25_100 and entry.num_failures == 4 * 200
    assert sum(entry.num_reqs_per_sec.values()) == entry.num_requests
    for percentile in (50, 99, 99.9):
        true = whole.percentile_ns(percentile) / 1e6
        assert abs(entry.get_response_time_percentile(percentile / 100) - true) <= 0.003 * true, percentile
    assert abs(entry.avg_response_time - whole.mean_ns / 1e6) < 1e-6
assert {error.error: error.occurrences for error in into.errors.values()} == {
    "status 503: overloaded": 400, "wrong": 240}
assert statistics.three_digits(1234.5) == 1230 and statistics.three_digits(58_760) == 58_800
"""


@pytest.mark.slow
def test_statistics_merged_from_the_engine_are_those_of_its_histograms() -> None:
    """Runs in a separate process, because importing locust changes the standard library."""
    subprocess.run([sys.executable, "-c", MERGED], check=True, cwd=Path(__file__).parents[2])


STOPPED_MEANWHILE = """
from locust.env import Environment
import gevent, psutil
from harness.model.load import Load
from workloads.load.engine import Exchange
from workloads.load.locust.load import EngineLoad
from workloads.load.locust.setup import Setup

environment = Environment()
environment.create_local_runner()
setup = Setup(
    title="", entry=("127.0.0.1", 9), exchanges=(Exchange(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"),), seed=1, depth=1,
    per_user=1, load=Load(rate=1, seconds=1, clients=2), slos=(), control=None, secret="", arguments=())
load = EngineLoad(setup, environment)
for wait_s in (0, 0.05, 0.3):
    starting = gevent.spawn(load.set_users, 5)
    gevent.sleep(wait_s)
    starting.kill()
    load.set_users(0)
    assert not psutil.Process().children(), psutil.Process().children()
load.set_users(5)
assert load.counted is not None
load.set_users(0)
assert not psutil.Process().children()
"""


@pytest.mark.slow
def test_a_load_that_is_stopped_while_it_starts_leaves_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STOPPED_MEANWHILE],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


ENGINE_DIES = """
import socket, sys
from locust.env import Environment
import gevent, psutil
from harness.model.load import Load
from workloads.load.engine import Exchange
from workloads.load.locust.load import EngineLoad
from workloads.load.locust.setup import Setup

silent = socket.create_server(("127.0.0.1", 0))
environment = Environment()
runner = environment.create_local_runner()
setup = Setup(
    title="", entry=silent.getsockname(), exchanges=(Exchange(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"),), seed=1, depth=1,
    per_user=1, load=Load(rate=1, seconds=1, clients=2), slos=(), control=None, secret="", arguments=())
load = EngineLoad(setup, environment)
load.set_users(5)
(engine,) = psutil.Process().children()
engine.kill()
if sys.argv[1] == "noticed":
    with gevent.Timeout(60):
        while not runner.exceptions:
            gevent.sleep(0.05)
    load.set_users(6)
    (another,) = psutil.Process().children()
    assert another != engine
load.set_users(0)
assert not psutil.Process().children(), psutil.Process().children()
(shown,) = runner.exceptions.values()
assert shown["count"] == 1 and "ended before the load did" in shown["msg"], shown
"""


@pytest.mark.slow
@pytest.mark.parametrize("when", ["noticed", "stopped at once"])
def test_an_engine_that_dies_is_shown_as_an_error_and_the_load_can_be_stopped_and_begun_anew(when: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENGINE_DIES, when],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--processes", "2"], pytest.param([], marks=pytest.mark.nightly)])
def test_headless_load_is_counted_whole(tmp_path: Path, options: list[str]) -> None:
    words = ["ui", "--headless", "--users", "100", "--run-time", "4s", "--runs", str(tmp_path), *options]
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli", *words],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2], env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    counts = re.findall(r"Aggregated +(\d+) +(\d+)\(", done.stdout + done.stderr)
    requests, failures = map(int, counts[-1])
    assert 100 < requests < 500
    assert failures == 0


@pytest.mark.slow
def test_a_workload_that_the_engine_cannot_send_is_refused_in_a_line() -> None:
    command = [sys.executable, "-m", "harness.cli", "ui", "quorum/healthy"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 2
    assert "has no `exchanges`" in done.stderr


@pytest.mark.parametrize("options", [["--port"], ["--master", "--headless", "--master-port"]])
def test_a_port_that_is_taken_is_said_before_anything_starts(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert run(["ui", *options, port, "--runs", str(tmp_path)]) == 2
    told = f"error: {options[-1]} {port}: cannot listen on 127.0.0.1:{port}: Address already in use. Choose another port.\n"
    assert capsys.readouterr() == ("", told)
    assert not list(tmp_path.iterdir())
