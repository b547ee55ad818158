"""Whole runs of a tiny system and their verdicts, above all if something goes wrong."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pandas as pd
import psutil
import pytest

from faults.kill import Kill
from faults.latency import Latency
from faults.partition import Isolate
from faults.pause import Pause
from harness.cluster.fault_plane import PlaneKind
from harness.model.composition import RandomFaults
from harness.model.drill import Drill
from harness.model.errors import DrillError, HarnessError, NodeDown, UsageError
from harness.model.fault import Fault, Window
from harness.model.fault_window import FaultWindow
from harness.model.history import History
from harness.model.load import Load
from harness.model.system import START_TIMEOUT_S, Address, Call
from harness.model.verdict import Verdict
from harness.run.observer import NullObserver
from harness.run.runner import CompletedRun, limit_s, run
from harness.run.settled import SETTLE_S
from harness.run.spec import RunSpec
from tests.helpers import echo
from tests.helpers.echo import Echo, Led, Misread, Numbers
from tests.helpers.effort import left_to_ci
from tests.helpers.engine import node_process, nothing_left, run_drill
from workloads.load.generator import FINAL_CALLS_END_S

LOAD = Load(rate=100, seconds=1, timeout_ms=300)


def everything_echoes(history: History) -> Verdict:
    """Every answer is what was asked for."""
    answered = history.ops[history.ops["outcome"] == "ok"]
    wrong = answered[answered["value"] != answered["expected"]]
    return Verdict(valid=wrong.empty, why=f"{len(wrong)} of {len(answered)} are wrong", ops=tuple(wrong.index))


def drill(*faults: Window | RandomFaults, replicas: int = 1, system: Echo | None = None, load: Load = LOAD) -> Drill:
    system = system or Echo(replicas=replicas)
    return Drill(system=system, workload=Numbers(), load=load, faults=faults, checks=[everything_echoes])


def checks(done: CompletedRun) -> dict[str, tuple[bool | None, str]]:
    return {check.name: (check.valid, check.why) for check in done.result.checks}


def windows(done: CompletedRun) -> list[tuple[bool | None, str]]:
    return [(fault.acted, fault.evidence) for fault in done.result.faults]


@pytest.mark.slow
def test_a_node_that_hangs_fails_a_drill_that_asks_for_nothing_else(tmp_path: Path) -> None:
    done = run_drill(drill(system=Echo(replicas=2, misbehave="hang")), tmp_path)
    valid, why = checks(done)["nodes_stayed_up"]
    assert valid is False
    assert why.startswith("n1 ran, but did not answer for ")
    assert done.result.verdict == "fail"


def test_what_a_node_holds_is_known_if_a_fault_started_it_again_as_the_load_ended(tmp_path: Path) -> None:
    done = run_drill(drill(Kill("n1").between(0.5, 1.0), replicas=2), tmp_path)
    assert checks(done)["nothing_leaked"][0] is True


@pytest.mark.slow
@pytest.mark.parametrize("timeout_ms", [300, 90_000])
def test_a_run_whose_calls_hang_is_not_taken_for_stuck(timeout_ms: float) -> None:
    """Each call may hang for as long as its timeout: the last ones of the load, then the last ones of the final calls."""
    asked = drill(load=replace(LOAD, timeout_ms=timeout_ms))
    hanging_s = asked.load.seconds + timeout_ms / 1e3 + FINAL_CALLS_END_S + timeout_ms / 1e3
    assert limit_s(asked) > START_TIMEOUT_S + hanging_s + SETTLE_S


def test_a_run_is_repeated_by_its_seed(tmp_path: Path) -> None:
    """The same calls at the same times, the same windows and targets; another seed changes them all."""
    either = RandomFaults(
        faults=(Kill("one"), Pause("minority")), windows=2, from_s=0.1, to_s=0.9, shortest_s=0.1, longest_s=0.2
    )

    def once(seed: int) -> tuple[pd.DataFrame, bytes]:
        done = run_drill(drill(either, replicas=3), tmp_path, seed=seed)
        assert checks(done)["everything_echoes"][0]
        return done.history.ops[["key", "expected", "due_ns"]], (done.run_dir / "schedule.json").read_bytes()

    ops, schedule = once(5)
    ops_again, schedule_again = once(5)
    pd.testing.assert_frame_equal(ops, ops_again)
    assert schedule == schedule_again
    other_ops, other_schedule = once(6)
    assert not ops.equals(other_ops)
    assert schedule != other_schedule
    assert nothing_left(tmp_path)


def test_a_node_that_does_not_start_shows_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(
        NodeDown, match=r"n1 did not start: it ended with code 3. Its log ends: .*there is no flux capacitor"
    ) as error:
        run_drill(drill(system=Echo(replicas=2, misbehave="not start")), tmp_path)
    assert error.value.exit_code == 4
    assert nothing_left(tmp_path)


def test_a_node_that_dies_by_itself_is_found(tmp_path: Path) -> None:
    done = run_drill(drill(system=Echo(replicas=2, misbehave="crash", after_s=0.5)), tmp_path)
    valid, why = checks(done)["nodes_stayed_up"]
    assert (done.result.verdict, valid) == ("fail", False)
    assert why.startswith("n1 died at ")
    assert "exit code 7" in why


@pytest.mark.slow
def test_a_node_that_does_not_come_back_is_found(tmp_path: Path) -> None:
    done = run_drill(drill(Kill("n1").between(0.2, 0.5), system=Echo(replicas=2, misbehave="not come back")), tmp_path)
    assert windows(done)[0][0] is True
    valid, why = checks(done)["nodes_stayed_up"]
    assert (done.result.verdict, valid) == ("fail", False)
    assert "there is no flux capacitor" in " ".join([why, *done.history.events["detail"]])


class Meddler(NullObserver):
    """Interferes when a window begins."""

    def __init__(self, folder: Path, number: int) -> None:
        self.folder = folder
        self.number = number

    def on_window(self, record: FaultWindow) -> None:
        process = node_process(self.folder, "n1")
        if record.healed_s is None and process is not None:
            process.send_signal(self.number)


@pytest.mark.slow
def test_a_pause_that_something_else_ends_has_not_acted(tmp_path: Path) -> None:
    paused = drill(Pause("n1").between(0.2, 0.6))
    order = RunSpec(name="t", title="t", drill=paused, seed=1)
    done = run(order, runs=tmp_path, observer=Meddler(tmp_path, signal.SIGCONT))
    assert (done.result.verdict, windows(done)[0][0]) == ("unknown", False)
    assert checks(done)["faults_acted"][0] is None


@dataclass(frozen=True, kw_only=True)
class Leaderless(Led):
    """A system that says that no node leads."""

    async def leader(self, addresses: Mapping[str, Address]) -> str:
        return None  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("fault", "system", "why"),
    [
        (Isolate("n1>n2"), Echo(replicas=2), "no bytes were stopped"),
        (Kill("leader"), Leaderless(replicas=2), "the system says that None leads, which is none of its nodes"),
        left_to_ci(Kill("leader"), Led(replicas=2, broken=True), "the system did not say who leads: no node leads"),
    ],
)
def test_a_fault_that_cannot_act_makes_the_run_unknown(tmp_path: Path, fault: Fault, system: Echo, why: str) -> None:
    done = run_drill(drill(fault.between(0.2, 0.4), system=system), tmp_path)
    [(acted, evidence)] = windows(done)
    assert (done.result.verdict, acted) == ("unknown", False)
    assert why in evidence


@pytest.mark.slow
def test_the_leader_is_asked_for_as_the_window_begins(tmp_path: Path) -> None:
    done = run_drill(drill(Kill("leader").between(0.2, 0.4), system=Led(replicas=3)), tmp_path)
    assert [fault.targets for fault in done.result.faults] == [("n3",)]
    assert checks(done)["faults_acted"][0]


OVERLAPS = {
    "kill amid a pause": ((Pause("n1"), 0.1, 0.8), (Kill("n1"), 0.3, 0.5), [True, True]),
    "kill that outlasts a pause": ((Pause("n1"), 0.1, 0.5), (Kill("n1"), 0.3, 0.8), [True, True]),
    "pause of a dead node": ((Kill("n1"), 0.1, 0.8), (Pause("n1"), 0.3, 0.5), [True, False]),
    "kill of a dead node": ((Kill("n1"), 0.1, 0.8), (Kill("n1"), 0.3, 0.5), [True, False]),
    "two kills at once": ((Kill("n1"), 0.1, 0.8), (Kill("n1"), 0.1, 0.8), None),
    "two pauses": ((Pause("n1"), 0.1, 0.5), (Pause("n1"), 0.3, 0.8), [True, True]),
    "latency of the dead": ((Kill("n1"), 0.1, 0.8), (Latency("n1"), 0.3, 0.5), None),
    "cut off and slow": ((Isolate("n1"), 0.1, 0.8), (Latency("n1"), 0.3, 0.5), None),
}


@pytest.mark.slow
@pytest.mark.parametrize("overlap", OVERLAPS)
def test_windows_that_overlap_on_a_node(tmp_path: Path, overlap: str) -> None:
    """Each reports correctly whether it acted, none undoes the other, and the node is healthy when both are over."""
    (one, *one_s), (other, *other_s), acted = OVERLAPS[overlap]
    load = Load(rate=100, seconds=1.5, timeout_ms=100)
    done = run_drill(drill(one.between(*one_s), other.between(*other_s), replicas=2, load=load), tmp_path)
    assert acted is None or [seen for seen, _ in windows(done)] == acted
    assert checks(done)["nodes_stayed_up"][0], done.history.events.to_string()
    down_s, up_s = min(one_s[0], other_s[0]) + 0.1, max(one_s[1], other_s[1])
    if overlap.startswith(("kill of", "two", "pause of", "latency", "cut")):
        during = done.history.ops[(done.history.ops["node"] == "n1") & (done.history.ops["outcome"] == "ok")]
        assert not during["sent_ns"].between(down_s * 1e9, (up_s - 0.15) * 1e9).any()
    late = done.history.ops[(done.history.ops["due_ns"] > 1.35e9) & (done.history.ops["outcome"] == "ok")]
    assert "n1" in set(late["node"])


@pytest.mark.slow
@pytest.mark.parametrize("plane", ["embedded", "toxiproxy"])
def test_ports_that_another_process_takes_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plane: PlaneKind
) -> None:
    monkeypatch.setenv("TOXIPROXY_URL", "http://127.0.0.1:1")
    if plane == "toxiproxy":
        with pytest.raises(HarnessError, match=r"The fault plane at 127.0.0.1:1 does not answer") as error:
            run_drill(drill(), tmp_path, plane=plane)
        assert error.value.exit_code == 4
    else:
        assert run_drill(drill(), tmp_path).result.verdict in ("pass", "unknown")
    assert nothing_left(tmp_path)


@dataclass(frozen=True, kw_only=True)
class Brief:
    """A workload that ends, against the rules."""

    def calls(self, random: Random) -> Iterator[Call]:
        yield Call(kind="echo", key="1")


@dataclass(frozen=True, kw_only=True)
class Failing:
    """A workload that is broken."""

    def calls(self, random: Random) -> Iterator[Call]:
        yield Call(kind="echo", key=str(1 // 0))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("workload", "why"),
    [
        (Brief(), "the workload ends after 1 calls"),
        (Failing(), "ZeroDivisionError: integer division"),
    ],
)
def test_a_broken_workload_is_said(tmp_path: Path, workload: Brief | Failing, why: str) -> None:
    with pytest.raises(HarnessError, match=why):
        run_drill(Drill(system=Echo(), workload=workload, load=LOAD), tmp_path)
    assert nothing_left(tmp_path)


@pytest.mark.slow
def test_a_broken_check_leaves_the_run_unknown_and_whole(tmp_path: Path) -> None:
    def broken(history: History) -> Verdict:
        """A check that fails."""
        raise KeyError("no such column")

    done = run_drill(Drill(system=Echo(), workload=Numbers(), load=LOAD, checks=[broken, everything_echoes]), tmp_path)
    valid, why = checks(done)["broken"]
    assert (done.result.verdict, valid) == ("unknown", None)
    assert "the check itself failed: KeyError: 'no such column' (test_runs.py, line " in why
    assert (done.run_dir / "ops.parquet").exists()


def test_a_system_of_a_test_function_cannot_travel(tmp_path: Path) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Local(Echo):
        pass

    with pytest.raises(UsageError, match="Local is defined where other processes cannot import it"):
        run_drill(drill(system=Local()), tmp_path)
    assert list(tmp_path.iterdir()) == []


class Starver(NullObserver):
    """Stops the load generator for a while, like an overloaded machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_window(self, record: FaultWindow) -> None:
        client = node_process(self.folder, "client")
        assert client is not None
        with contextlib.suppress(psutil.NoSuchProcess):
            client.send_signal(signal.SIGSTOP if record.healed_s is None else signal.SIGCONT)


@pytest.mark.slow
def test_a_starved_generator_makes_the_run_unknown(tmp_path: Path) -> None:
    order = RunSpec(name="t", title="t", drill=drill(Latency("n1", delay_ms=20).between(0.2, 0.7)), seed=1)
    done = run(order, runs=tmp_path, observer=Starver(tmp_path))
    valid, why = checks(done)["generator_kept_up"]
    assert (done.result.verdict, valid) == ("unknown", None)
    assert "too busy" in why


@pytest.mark.slow
def test_a_load_of_which_nothing_succeeds_is_unknown_and_shows_the_exception(tmp_path: Path) -> None:
    wrong = Drill(system=Misread(), workload=Numbers(), load=LOAD, slos=["p50 < 1s", "max < 1s"])
    result = run_drill(wrong, tmp_path).result
    source = Path(echo.__file__).read_text().splitlines()
    line = next(number for number, text in enumerate(source, start=1) if '["told"]' in text)
    error = f"KeyError: 'told' (echo.py, line {line})"
    assert result.verdict == "unknown"
    assert [(reason.outcome, reason.error, reason.calls) for reason in result.errors] == [
        ("unknown", error, result.metrics.requests)
    ]
    assert next(check.why for check in result.checks if check.name == "calls_done").endswith(f"unknown: {error}")
    figures = result.metrics
    assert (figures.p50_ms, figures.p99_ms, figures.p999_ms, figures.max_ms, figures.availability) == (None,) * 4 + (0,)
    assert [(slo.value, slo.ok, slo.why) for slo in result.slos] == [(None, None, "no call was done")] * 2


def test_a_workload_that_raises_is_told_with_its_place(tmp_path: Path) -> None:
    wrong = Drill(system=Echo(replicas=1), workload=Unwritten(), load=LOAD)
    with pytest.raises(DrillError, match=r"cannot be used: KeyError: 'no such key' \(test_runs\.py, line "):
        run_drill(wrong, tmp_path)


@dataclass(frozen=True, kw_only=True)
class Unwritten(Numbers):
    """A workload with a bug."""

    def calls(self, random: Random) -> Iterator[Call]:
        raise KeyError("no such key")


@pytest.mark.slow
def test_times_in_node_logs_count_from_the_start_of_the_load(tmp_path: Path) -> None:
    done = run_drill(drill(Kill("n1").between(0.4, 0.5), replicas=2), tmp_path)
    logs = {node: (done.run_dir / "nodes" / f"{node}.log").read_text().splitlines() for node in ("n1", "n2", "client")}
    first, again = (float(line.split()[0]) for line in logs["n1"] if "listening on" in line)
    assert first < 0 < 0.5 <= again < 30
    assert all(-30 < float(lines[0].split()[0]) < 0 for lines in logs.values())
    assert not list((done.run_dir / "nodes").glob("*.part"))
