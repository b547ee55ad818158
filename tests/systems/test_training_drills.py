"""Drills of a training, which must not only pass but have seen what they test: group sizes, alarms, a name."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.model.history import History
from harness.model.training_events import Formed, Named, NotSaved, Saved, TakenBack, TookOver, told
from harness.run.catalog import find_drill
from harness.run.runner import run
from harness.run.spec import run_spec_of

pytestmark = pytest.mark.slow


def recorded(drill: str, runs: Path) -> History:
    """One run; fails if a check found something to be wrong. That it was too busy a machine to be sure of is no matter here."""
    done = run(run_spec_of(find_drill(drill, []), 1, [], "embedded"), runs=runs)
    assert done.result.verdict in {"pass", "unknown", "slo"}, done.result
    if not done.history.windows["acted"].fillna(False).all():
        pytest.skip("the machine was too slow for a fault to meet what it is about")
    return done.history


def test_the_world_becomes_two_four_and_three(tmp_path: Path) -> None:
    sizes = iter([len(formed.event.members) for formed in told(recorded("training/worlds_change", tmp_path), Formed)])
    assert all(size in sizes for size in (2, 4, 3))  # one after another, whatever comes between


def test_a_disk_that_fails_raises_the_alarm_and_the_next_checkpoint_is_whole(tmp_path: Path) -> None:
    history = recorded("training/disk_fails", tmp_path)
    alarms = {alarm.event.why for alarm in told(history, NotSaved)}
    assert {"No space left on device", "Input/output error"} <= alarms
    last = told(history, Saved, NotSaved)[-1]
    assert isinstance(last.event, Saved)


def test_another_coordinator_finishes_the_recovery_of_one_that_was_killed_in_it(tmp_path: Path) -> None:
    history = recorded("training/leader_killed_in_recovery", tmp_path)
    assert len({took.node for took in told(history, TookOver)}) > 1
    assert len(told(history, Formed)[-1].event.members) == 3


def test_the_side_with_most_coordinators_trains_and_the_one_with_most_ranks_waits(tmp_path: Path) -> None:
    history = recorded("training/majorities_apart", tmp_path)
    cut = history.windows[history.windows["fault"] == "Partition"].iloc[0]
    cut_ns, healed_ns = int(cut["injected_ns"]), int(cut["healed_ns"])
    [alone_ns] = [formed.at_ns for formed in told(history, Formed) if formed.event.members == ("rank2",)]
    assert cut_ns < alone_ns < healed_ns
    apart = history.steps[history.steps["begun_ns"].between(alone_ns, healed_ns) & history.steps["done_ns"].notna()]
    assert set(apart["node"]) == {"rank2"}


def test_a_rank_that_computes_wrongly_is_named_and_its_checkpoints_are_withdrawn(tmp_path: Path) -> None:
    history = recorded("corruption/rank_computes_wrongly", tmp_path)
    assert [named.event.rank for named in told(history, Named)] == ["rank1"]
    assert len(told(history, TakenBack)) == 1
    assert told(history, Formed)[-1].event.members == ("rank0", "rank2")
