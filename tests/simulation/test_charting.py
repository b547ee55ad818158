"""The chart of a simulated run: who is down in the time that it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.kill import Kill
from harness.model.drill import Drill
from harness.model.history import History
from harness.model.load import Load
from harness.model.verdict import Verdict
from harness.run.catalog import NamedDrill
from harness.simulation import charting
from harness.simulation.keeping import keep
from harness.simulation.seed_run import run_seed
from harness.simulation.swarm import PLAIN
from results.record.sequence import SequenceChart
from tests.helpers.echo import Echo, Numbers


def wrong_after_a_second(history: History) -> Verdict:
    wrong = history.ops[history.ops["sent_ns"].between(1.0e9, 1.1e9)]
    return Verdict(valid=False, why="so it is told", ops=tuple(wrong.index))


def charted(folder: Path, kill: Kill, from_s: float, to_s: float) -> SequenceChart:
    drill = Drill(
        system=Echo(replicas=2),
        workload=Numbers(),
        load=Load(rate=40, seconds=2),
        faults=[kill.between(from_s, to_s)],
        checks=[wrong_after_a_second],
    )
    judged = run_seed("test/charted", drill, 1, swarm=PLAIN, record=True)
    named = NamedDrill(name="test/charted", title="Charted", drill=drill, again="test/charted")
    _, result = keep(named, judged, folder, ["harness"], as_drawn=True)
    return charting.chart(judged, result)


def lives(chart: SequenceChart) -> list[tuple[str, str]]:
    return [(event.host, event.kind) for event in chart.events if event.kind in ("start", "end")]


def test_a_node_that_is_down_all_the_time_shown_is_told_to_be_down(tmp_path: Path) -> None:
    assert lives(charted(tmp_path, Kill("n1"), 0.5, 1.8)) == [("n1", "end")]
    assert lives(charted(tmp_path, Kill("n1"), 0.5, 1.05)) == [("n1", "end"), ("n1", "start")]
    assert lives(charted(tmp_path, Kill("n1"), 0.3, 0.4)) == []


def test_a_start_is_told_however_much_else_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charting, "_MOST_EVENTS", 0)
    assert lives(charted(tmp_path, Kill("n1"), 1.03, 1.08)) == [("n1", "end"), ("n1", "start")]
