"""Events that nodes report reach the history, from real processes and from simulated ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.kill import Kill
from harness.model.drill import Drill
from harness.model.history import History
from harness.model.load import Load
from harness.node.events import EventFile, read_events
from harness.run.runner import run
from harness.run.schedule import plan
from harness.run.spec import RunSpec
from harness.simulation.record import SimulatedRun
from tests.helpers.telling import Telling
from workloads.registers import Registers

DRILL = Drill(
    system=Telling(),
    workload=Registers(keys=2, writes=0),
    load=Load(rate=40, clients=4, seconds=1.5),
    faults=[Kill("n1").between(0.5, 0.8)],
    checks=[],
    slos=[],
)


def told_by(history: History) -> None:
    """There are two starts, and every answered call lies between its sending and its answer."""
    told = history.events[history.events["kind"].isin(["began", "asked"])]
    assert told["at_ns"].is_monotonic_increasing
    assert told["detail"][told["kind"] == "began"].tolist() == ['{"name":"n1"}'] * 2
    answered = history.ops[history.ops["outcome"] == "ok"]
    asked_ns = told["at_ns"][told["kind"] == "asked"].to_numpy()
    for _, call in answered.iterrows():
        assert ((asked_ns >= call["sent_ns"]) & (asked_ns <= call["done_ns"])).any()
    assert set(history.events["kind"]) >= {"started", "killed", "began", "asked"}


def test_events_of_simulated_nodes() -> None:
    told_by(SimulatedRun(DRILL, plan(DRILL, 1), 1).carry_out().history)


@pytest.mark.slow
def test_events_of_real_nodes(tmp_path: Path) -> None:
    told_by(run(RunSpec(name="telling", title="", drill=DRILL, seed=1), runs=tmp_path).history)


def test_an_event_that_has_no_end_yet_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "n1.events"
    assert list(read_events(path)) == []
    for number in range(2):
        EventFile(path).write(number, "k", {"number": number})  # each start opens the file anew
    whole = path.read_bytes()
    for end in range(len(whole) + 1):
        path.write_bytes(whole[:end])
        assert len(list(read_events(path))) == whole[:end].count(b"\n")


def test_an_event_that_was_cut_off_does_not_spoil_those_of_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "n1.events"
    for number in range(2):
        EventFile(path).write(number, "k", {"number": number})
    whole = path.read_bytes()
    for end in range(len(whole) + 1):
        path.write_bytes(whole[:end])
        EventFile(path).write(7, "k", {"number": 7})
        assert [event.at_ns for event in read_events(path)] == [*range(whole[:end].count(b"\n")), 7]
