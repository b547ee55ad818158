"""`harness load` as a user runs it."""

from __future__ import annotations

import dataclasses
import itertools
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import psutil
import pytest

from harness.cli import load as load_command
from harness.cli.load_measuring import Measured, Watch
from harness.cli.main import run
from harness.cluster.ports import reserved
from results.analysis.histogram import Histogram
from results.record.load_result import LoadResult, decode
from tests.helpers.answering import accepting, answering
from tests.helpers.effort import left_to_ci
from tests.helpers.engine import environment
from workloads.load.engine import EngineTask, Snapshot
from workloads.load.target import request_bytes, target_of

SHORT = ("--rate", "100", "--seconds", "0.3", "--warm-up", "0.1", "--connections", "4")


COMMAND = (sys.executable, "-P", "-m", "harness.cli", "load")
"""The command as it is installed: Python does not look for modules in the working directory."""


class Loads:
    """Runs `harness load` in this process, in a temporary folder: faster than a new process each time."""

    def __init__(self, folder: Path, captured: pytest.CaptureFixture[str]) -> None:
        self.folder, self._captured = folder, captured

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """The exit code, standard output, standard error."""
        code = run(["load", *arguments])
        return code, *self._captured.readouterr()

    def result_of(self, *arguments: str) -> tuple[int, str, LoadResult]:
        """A load without errors: its result, which --json and its run folder contain alike."""
        code, out, err = self(*arguments, "--json", "out.json")
        assert err == ""
        (kept,) = (self.folder / "runs" / "load").glob("*/*/load.json")
        assert kept.read_bytes() == (self.folder / "out.json").read_bytes()
        return code, out, decode(kept.read_bytes(), "load.json")

    def page(self) -> str:
        (page,) = (self.folder / "runs" / "load").glob("*/*/report.html")
        return page.read_text()


@pytest.fixture
def load(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Loads:
    monkeypatch.chdir(tmp_path)
    return Loads(tmp_path, capsys)


@pytest.mark.parametrize("package", [False, True])
@pytest.mark.slow
def test_folders_with_the_names_of_our_packages_do_not_get_in_the_way(tmp_path: Path, package: bool) -> None:
    for name in ("workloads", "systems", "faults", "results", "harness"):
        (tmp_path / name).mkdir()
        if package:
            (tmp_path / name / "__init__.py").write_text("raise RuntimeError('this is not ours')\n")
    with answering() as (url, _):
        done = subprocess.run(
            [*COMMAND, url, *SHORT], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False, timeout=120
        )
    assert done.stderr == ""
    assert "availability 100 %" in done.stdout


@pytest.mark.parametrize(
    ("status", "headers", "body", "reason", "example"),
    [
        (404, (), b'{"detail":\n "Not Found"}', "status 404", '{"detail": "Not Found"}'),
        left_to_ci(500, (), b"boom\x1b[2J", "status 500", "boom"),
        left_to_ci(401, (("WWW-Authenticate", "Basic"),), b"", "status 401", "www-authenticate: Basic"),
        left_to_ci(302, (("Location", "/login"),), b"", "status 302, a redirect, which is not followed", "location: /login"),
    ],
)
def test_a_server_that_refuses_everything_is_no_pass_and_shows_why(
    load: Loads, status: int, headers: tuple[tuple[str, str], ...], body: bytes, reason: str, example: str
) -> None:
    with answering(status, body, headers) as (url, _):
        code, out, result = load.result_of(url, *SHORT)
    assert (code, result.verdict) == (4, "unknown")
    (group,) = result.failures
    assert (group.outcome, group.reason, group.calls) == ("failed", reason, result.metrics.requests)
    assert group.example.startswith(example)
    assert reason in out
    assert reason in load.page()
    assert "no call succeeded" in out
    assert "\x1b" not in out
    assert result.metrics.p50_ms is None


@pytest.mark.slow
def test_a_port_without_a_listener_is_no_pass(load: Loads) -> None:
    with reserved(1) as (port,):
        pass
    code, out, result = load.result_of(f"http://127.0.0.1:{port}/", *SHORT)
    assert (code, result.verdict) == (4, "unknown")
    assert "cannot connect: Connection refused" in out


@pytest.mark.slow
def test_a_port_that_speaks_tls_is_said_to(load: Loads) -> None:
    def alert(client: socket.socket) -> None:
        with client:
            client.recv(4096)
            client.sendall(b"\x15\x03\x03\x00\x02\x02\x46")

    with accepting(alert) as port:
        code, out, _ = load.result_of(f"http://127.0.0.1:{port}/", *SHORT)
    assert code == 4
    assert "the server speaks TLS on this port" in out


@pytest.mark.parametrize("wrong", [left_to_ci(False), True])
def test_an_answer_to_another_request_is_wrong(load: Loads, wrong: bool) -> None:
    """The server answers with the number in the request; a wrong one with that of the request before, whoever sent it."""
    last = [b"0"]

    def predict(client: socket.socket) -> None:
        with client, client.makefile("rb") as requests:
            while line := requests.readline():
                if line == b"\r\n":
                    body = requests.read(1)
                    last.append(body)
                    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + last[-2 if wrong else -1])

    (load.folder / "numbers").write_text("1\n2\n3\n4\n")
    with accepting(predict) as port:
        asked = ("--bodies", "numbers", "--expects", "numbers", "--connections", "1")
        code, out, result = load.result_of(f"http://127.0.0.1:{port}/", *SHORT, *asked)
    assert (code, result.wrong > 0) == ((1, True) if wrong else (0, False)), out


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        (("--body", '{"x": 1}'), "application/json"),
        (("--body", "[1]"), "application/json"),
        (("--body", "x=1"), ""),
        (("--body", '{"x": 1}', "--header", "content-type: text/plain"), "text/plain"),
    ],
)
def test_a_json_body_says_what_it_is(options: tuple[str, ...], sent: str) -> None:
    target = target_of("http://127.0.0.1/", allow_remote=False)
    headers = [options[3]] if len(options) > 2 else []
    request = request_bytes(target, "POST", headers, options[1].encode()).decode().lower()
    assert re.findall("content-type: (.*)\r", request) == ([sent] if sent else [])


@pytest.mark.slow
def test_the_run_folder_has_a_page_with_the_series_and_the_line_that_repeats_it(load: Loads) -> None:
    options = ("--rate", "0.2k", "--seconds", "1200ms", "--warm-up", "0.1s", "--slo", "p50 < 10s", "--header", "A: b c")
    with answering() as (url, types):
        _, _, result = load.result_of(url, *options)
    ended = sum(interval.ok + interval.failed + interval.unknown for interval in result.series)
    assert 0.9 * result.metrics.requests <= ended <= result.metrics.requests
    assert len(result.series) >= 3
    assert all(one.to_s == other.from_s for one, other in itertools.pairwise(result.series))
    assert result.series[0].from_s == 0
    assert result.asked_per_s == 200
    assert f"--rate 200 --seconds 1.2 --warm-up 0.1 --header 'A: b c' --slo 'p50 < 10s' --seed {result.seed}" in result.rerun
    assert url in load.page()
    assert types


@pytest.mark.slow
def test_json_on_standard_output_is_alone_there(load: Loads) -> None:
    with answering() as (url, _):
        _, out, err = load(url, *SHORT, "--json", "-")
    assert decode(out.encode(), "standard output").url == url
    assert "availability 100 %" in err


@pytest.mark.slow
def test_a_page_can_be_written_again_from_the_run_folder(load: Loads) -> None:
    with answering() as (url, _):
        load.result_of(url, *SHORT)
    (folder,) = (load.folder / "runs" / "load").glob("*/*")
    assert run(["report", str(folder), "--out", "again.html"]) == 0
    assert run(["report", "--out", "newest.html"]) == 0
    for name in ("again.html", "newest.html"):
        page = (load.folder / name).read_text()
        assert url in page
        assert "Latency and rate of the load over time" in page


@pytest.mark.slow
def test_an_slo_that_the_planned_calls_cannot_decide_is_told_before(load: Loads) -> None:
    with answering() as (url, _):
        _, _, err = load(url, *SHORT, "--slo", "p99.9 < 50ms")
    assert err.startswith("? p99.9 < 50ms needs 6,636 calls and about 30 are planned: it cannot be held, only missed.")


@pytest.mark.slow
def test_a_search_keeps_each_try_with_its_figures(load: Loads) -> None:
    with answering() as (url, _):
        _, out, result = load.result_of(
            url,
            "--find-max",
            "--arrivals",
            "constant",
            "--rate",
            "1",
            "--seconds",
            "0.5",
            "--warm-up",
            "0.1",
            "--slo",
            "max < 0.001us",
        )
    assert result.max_rate_per_s is None
    assert [step.rate_per_s for step in result.steps][:2] == [1, 1]  # a missed step is repeated
    assert all(step.outcome == "held" or step.why for step in result.steps)
    assert out.count("/s  missed") == sum(step.outcome == "missed" for step in result.steps)
    assert any(step.p50_ms is not None or step.availability for step in result.steps)


def counted(calls: int, latency_ms: float) -> Snapshot:
    """The counts of a second in which all calls were answered after the same time."""
    latency = Histogram()
    latency.record(np.full(calls, int(latency_ms * 1e6), np.int64))
    return Snapshot(
        at_ns=0, seconds=1.0, due=calls, sent=calls, ok=calls, failed=0, wrong=0, unknown=0, latency=latency, service=latency,
        unanswered=Histogram(), send_lag=Histogram(), read_lag=Histogram(), cpu_s=0.0, starved_s=0.0, busy_s=0.0, queued_s=0.0,
        saturated_s=0.0, blocked_s=0.0, failures=(), finished=True,
    )  # fmt: skip


def test_the_figures_of_a_search_are_those_of_the_rate_that_it_found(load: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: Counter[float] = Counter()

    def measured(task: EngineTask, _processes: int, _watch: Watch) -> Measured:
        """Up to 1000 a second every try holds, above only the second of three."""
        tries[task.load.rate] += 1
        holds = task.load.rate <= 1000 or tries[task.load.rate] == 2
        whole = counted(round(task.load.rate), 1.0 if holds else 100.0)
        return Measured(whole=whole, half=counted(0, 1.0), series=(), interrupted=False)

    monkeypatch.setattr(load_command, "measure", measured)
    code, _, result = load.result_of(
        "http://127.0.0.1:9/", "--find-max", "--rate", "1000", "--seconds", "1", "--slo", "max < 10ms"
    )
    assert (code, result.max_rate_per_s, result.asked_per_s) == (0, 1000, 1000)
    assert result.metrics.requests == 1000


def test_wrong_answers_fail_a_search_although_a_lower_rate_held(load: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(task: EngineTask, _processes: int, _watch: Watch) -> Measured:
        """Above 1000 a second, some clients get the answers to others' requests."""
        whole = counted(round(task.load.rate), 1.0)
        if task.load.rate > 1000:
            whole = dataclasses.replace(whole, ok=whole.ok - 3, wrong=3)
        return Measured(whole=whole, half=counted(0, 1.0), series=(), interrupted=False)

    monkeypatch.setattr(load_command, "measure", measured)
    code, _, result = load.result_of(
        "http://127.0.0.1:9/", "--find-max", "--rate", "1000", "--seconds", "1", "--slo", "max < 10ms"
    )
    assert (code, result.verdict, result.max_rate_per_s) == (1, "fail", 1000)
    assert {step.wrong for step in result.steps} == {0, 3}
    assert result.why.startswith("3 answers were not as expected at 2,000/s. 1,000/s held; at 1,0")


def test_a_search_in_which_the_queue_grew_at_every_rate_does_not_pass(load: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(_task: EngineTask, _processes: int, _watch: Watch) -> Measured:
        """Calls take 1 ms in the first half and 9 ms in the second one."""
        half, second = counted(100, 1.0), counted(100, 9.0)
        half.latency.merge(second.latency)
        whole = dataclasses.replace(second, seconds=2.0, due=200, ok=200, latency=half.latency)
        return Measured(whole=whole, half=counted(100, 1.0), series=(), interrupted=False)

    monkeypatch.setattr(load_command, "measure", measured)
    code, out, result = load.result_of(
        "http://127.0.0.1:9/", "--find-max", "--rate", "2", "--seconds", "1", "--slo", "max < 10ms"
    )
    assert {step.outcome for step in result.steps} == {"unsteady"}
    assert (code, result.verdict, result.max_rate_per_s) == (4, "unknown", None)
    assert "no rate held; at 1/s the limit was the server: the queue kept growing" in out


@pytest.mark.slow
def test_a_search_ends_at_once_if_nothing_works(load: Loads) -> None:
    with answering(404) as (url, _):
        code, out, result = load.result_of(url, *SHORT, "--find-max", "--slo", "max < 1s")
    assert (code, len(result.steps), result.max_rate_per_s) == (4, 1, None)
    assert out.count("no call succeeded") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--rate", "1e9"), "This load may take 110.1 GB"),
        (("--rate", "1000", "--seconds", "100000h"), "This load may take"),
        (("--processes", "100000", "--connections", "100000"), "This load may take"),
        (("--connections", "1000000"), "connections"),
        (
            ("--find-max", "--slo", "p99 < 1s", "--slo", "rate >= 1k/s"),
            "--slo rate, requests: a search asks for low",
        ),
        (("--rate", "fast"), "'fast' is not a rate, such as 500 or 10k"),
        (("--seconds", "1m30s"), "'1m30s' is not a time above 0, such as 30, 1.5s, 500ms or 1m"),
    ],
)
def test_what_exceeds_this_machine_or_cannot_be_read_is_refused(
    load: Loads, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], message: str
) -> None:
    try:
        code, _, err = load("http://127.0.0.1:9/", *options)
    except SystemExit as error:  # argparse's
        code, err = int(error.code or 0), capsys.readouterr().err
    assert (code, err.count("\n")) == (2, 1), err
    assert message in err
    assert not (load.folder / "runs").exists()


def test_an_interrupt_ends_it_with_what_was_measured(tmp_path: Path) -> None:
    called = threading.Event()

    def answer(client: socket.socket) -> None:
        with client:
            while client.recv(4096):
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                called.set()

    command = [*COMMAND, "--seconds", "100s", "--rate", "1M", "--warm-up", "0"]
    with accepting(answer) as port:
        process = subprocess.Popen(
            [*command, f"http://127.0.0.1:{port}/", "--json", "out.json"],
            cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert called.wait(60)
        family = psutil.Process(process.pid).children()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")
    assert "interrupted; these are the figures so far" in out
    assert decode((tmp_path / "out.json").read_bytes(), "out.json").verdict == "unknown"
    assert family
    assert not psutil.wait_procs(family, timeout=30)[1]
