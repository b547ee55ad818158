"""What the load engine reports is true: about a frozen server, its own rate, and a starved engine."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import psutil
import pytest

from harness.cli.main import run
from harness.model.load import Load
from results.record.load_result import LoadResult
from tests.helpers.frozen import freeze, serving
from workloads.load.engine import Engine, EngineTask, Exchange

REQUEST = Exchange(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", (b"ok",))


def frozen_p99(seconds: float, frozen_s: float, rate: float) -> tuple[float, float]:
    """The measured p99 of a server frozen in the middle of a constant load, and the theoretical one.

    Calls due in the freeze end with it, so their latencies are even from its length down to 0. Of all calls the share
    (frozen - x) / seconds is slower than x; that is 1% at x = frozen - seconds / 100.
    """
    load = Load(rate=rate, seconds=seconds, arrivals="constant", clients=4, timeout_ms=5000)
    with serving() as server, Engine(EngineTask(address=server.address, exchanges=[REQUEST], load=load, seed=1)) as engine:
        engine.start()
        time.sleep(seconds / 3)
        was_s = freeze(server.process.pid, frozen_s)
        counted = engine.wait()
    assert counted.ok == counted.due == rate * seconds
    measured_ns = counted.latency.percentile_ns(99)
    assert measured_ns is not None
    return measured_ns / 1e9, was_s - seconds / 100


@pytest.mark.slow
def test_a_frozen_server_shows_in_the_99th_percentile_as_theory_wants_it() -> None:
    measured, theory = frozen_p99(seconds=3, frozen_s=0.5, rate=300)
    assert measured == pytest.approx(theory, rel=0.05)


@pytest.mark.nightly
def test_a_server_frozen_for_one_second_of_ten_shows_within_two_percent() -> None:
    measured, theory = frozen_p99(seconds=10, frozen_s=1, rate=200)
    assert measured == pytest.approx(theory, rel=0.02)


def test_as_many_calls_are_made_as_were_asked_for() -> None:
    load = Load(rate=5000, seconds=0.6, arrivals="constant", clients=16)
    with serving() as server, Engine(EngineTask(address=server.address, exchanges=[REQUEST], load=load, seed=1)) as engine:
        engine.start()
        counted = engine.wait()
    assert abs(counted.sent / 3_000 - 1) <= 0.001


@pytest.mark.slow
def test_a_starved_engine_says_so() -> None:
    load = Load(rate=500, seconds=2, arrivals="constant", clients=8)
    with serving() as server, Engine(EngineTask(address=server.address, exchanges=[REQUEST], load=load, seed=1)) as engine:
        engine.start()
        time.sleep(0.5)
        workers = [child for child in psutil.Process().children(recursive=True) if child.pid != server.process.pid]
        assert workers
        for worker in workers:
            worker.suspend()
        time.sleep(0.5)
        for worker in workers:
            worker.resume()
        assert engine.wait().late


@pytest.mark.slow
def test_harness_load_measures_any_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "load.json"
    with serving() as server:
        options = ["--rate", "700", "--seconds", "1", "--warm-up", "0.2", "--expect", "ok", "--slo", "availability >= 99%"]
        assert run(["load", server.url, *options, "--depth", "2", "--json", str(out)]) == 0
        assert run(["load", server.url, *options, "--shape", '{"type":"Ramp","end":2}']) == 0
        assert run(["load", server.url, *options, "--expect", "no"]) == 1
        assert run(["load", server.url, *options, "--slo", "p99.99 < 5s"]) == 4
        assert run(["load", server.url, *options, "--slo", "rate >= 70000/s"]) == 3
    result = msgspec.json.decode(out.read_bytes(), type=LoadResult)
    assert (result.verdict, result.depth) == ("pass", 2)
    assert "depth 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options",
    [
        ["--slo", "recovery < 2s"],
        ["--find-max"],
        ["--shape", "{}"],
        ["--find-max", "--slo", "p99 < 1s", "--shape", '{"type":"Ramp"}'],
        ["--body", "a", "--bodies", "b"],
        ["--header", "x"],
    ],
)
def test_what_makes_no_sense_is_refused(options: list[str]) -> None:
    assert run(["load", "http://127.0.0.1:1/", *options]) == 2


def test_a_misspelt_shape_is_refused_with_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["load", "http://127.0.0.1:1/", "--shape", '{"type":"Spike"}']) == 2
    assert "The types are Ramp, Steps, Spikes, Diurnal, Replay. For example" in capsys.readouterr().err
