"""Compositions of windows: drawn at rates, one after another, flapping, overlapping, following the leader."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from random import Random
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faults.kill import Kill
from faults.latency import Latency
from faults.partition import Isolate, Partition
from faults.pause import Pause
from harness.model.composition import FaultSequence, PoissonFaults
from harness.model.drill import Drill
from harness.model.errors import UsageError
from harness.model.fault import Composition, Fault, Flapping, Window
from harness.model.load import Load
from harness.run.schedule import plan
from tests.helpers.echo import Echo, Led, Numbers
from tests.helpers.engine import run_drill


def drill(*faults: Composition, system: Echo | None = None, seconds: float = 20) -> Drill:
    return Drill(system=system or Echo(replicas=5), workload=Numbers(), load=Load(rate=50, seconds=seconds), faults=faults)


def overlap(one: Window, other: Window) -> bool:
    return one.from_s < other.to_s and other.from_s < one.to_s


# --------------------------------------------------------------------------------------------------------------- rates


@settings(deadline=None)  # the machine may be busy
@given(
    rates=st.lists(st.floats(0.1, 59), min_size=1, max_size=4),
    load_s=st.floats(4, 60),
    quiet_s=st.floats(0, 2),
    seed=st.integers(),
)
def test_windows_at_rates_leave_the_end_quiet(rates: list[float], load_s: float, quiet_s: float, seed: int) -> None:
    item = PoissonFaults(
        per_minute={Latency("one", delay_ms=10 + number): rate for number, rate in enumerate(rates)},
        from_s=1, quiet_s=quiet_s, shortest_s=0.1, longest_s=1,
    )  # fmt: skip
    windows = item.expand(Random(seed), load_s)
    assert windows == item.expand(Random(seed), load_s)
    assert windows == sorted(windows, key=lambda window: window.from_s)
    assert len(windows) >= 1
    for window in windows:
        assert window.from_s >= 1
        assert window.to_s <= load_s - quiet_s + 0.001
        assert 0.0999 < window.to_s - window.from_s < 1.0001
    for fault in item.faults:
        mine = [window for window in windows if window.fault == fault]
        assert not any(overlap(*pair) for pair in itertools.pairwise(mine))


def test_each_fault_comes_as_often_as_its_rate_says() -> None:
    wanted: dict[Fault, float] = {Kill("one"): 3.0, Pause("one"): 12.0, Latency("all"): 40.0}
    item = PoissonFaults(per_minute=wanted, quiet_s=0, from_s=0)
    windows = [item.expand(Random(seed), 600) for seed in range(100)]  # a thousand minutes
    for fault, rate in wanted.items():
        counts = [sum(window.fault == fault for window in run) / 10 for run in windows]
        assert mean(counts) == pytest.approx(rate, rel=0.05)


def test_windows_at_rates_overlap_and_a_longer_load_has_more_of_them() -> None:
    item = PoissonFaults(per_minute={Pause("one"): 30, Latency("one"): 30}, quiet_s=2)
    short, long = item.expand(Random(1), 20), item.expand(Random(1), 200)
    assert len(long) > 4 * len(short)
    assert any(overlap(*pair) for pair in itertools.pairwise(long))


def test_a_run_at_a_low_rate_has_a_fault_all_the_same() -> None:
    item = PoissonFaults(per_minute={Kill("one"): 0.001, Pause("one"): 0.001}, quiet_s=1)
    drawn = [item.expand(Random(seed), 5) for seed in range(50)]
    assert {len(windows) for windows in drawn} == {1}
    assert {type(windows[0].fault) for windows in drawn} == {Kill, Pause}


# ------------------------------------------------------------------------------------------------ in turn, and flapping


def test_faults_in_turn() -> None:
    item = FaultSequence(faults=[Kill("n1"), Pause("n2"), Kill("n3")], from_s=1, each_s=0.5, gap_s=0.25)
    found = [(type(window.fault), window.from_s, window.to_s) for window in item.expand(Random(1), 10)]
    assert found == [(Kill, 1, 1.5), (Pause, 1.75, 2.25), (Kill, 2.5, 3)]
    assert item.ends_s(10) == 3


@settings(deadline=None)  # the machine may be busy
@given(st.floats(0, 5), st.floats(0.1, 5), st.floats(0.05, 1), st.floats(0.05, 1))
def test_flapping_repeats_whole_windows(from_s: float, length_s: float, on_s: float, off_s: float) -> None:
    try:
        item = Kill("one").flapping(from_s, from_s + length_s, on_s=on_s, off_s=off_s)
    except UsageError as error:
        assert "on_s is longer than the window" in str(error)
        assert length_s < on_s + 0.002
        return
    windows = item.expand(Random(1), 10)
    assert windows[0].from_s == pytest.approx(from_s, abs=0.0006)
    assert windows[-1].to_s <= item.ends_s(10) + 0.0006
    assert windows[-1].to_s + on_s + off_s > from_s + length_s - 0.003  # one more would not fit
    for one, other in itertools.pairwise(windows):
        assert other.from_s - one.to_s == pytest.approx(off_s, abs=0.0011)
        assert one.to_s - one.from_s == pytest.approx(on_s, abs=0.0011)


def test_flapping_hits_the_same_node_each_time_and_other_seeds_another() -> None:
    flapping = drill(Partition("one").flapping(1, 10, on_s=0.5, off_s=0.5))
    hit = []
    for seed in range(20):
        targets = [planned.targets.nodes for planned in plan(flapping, seed) if planned.targets]
        assert len(targets) == 9
        assert len(set(targets)) == 1
        hit.append(targets[0])
    assert len(set(hit)) == 5
    labels = [planned.targets.label for planned in plan(flapping, 1) if planned.targets]
    assert labels == [f"w{number}" for number in range(9)]


# ---------------------------------------------------------------------------------------------------------- overlapping


@settings(deadline=None)  # the machine may be busy
@given(st.integers())
def test_windows_that_overlap_hit_different_replicas_where_there_are_enough(seed: int) -> None:
    planned = plan(
        drill(
            Kill("one").between(1, 6),
            Pause("one").between(2, 7),
            Isolate("minority").between(3, 8),
            Kill("one").between(4, 9),  # all five are hit by now
            Kill("majority").between(9, 10),  # and none is now
        ),
        seed,
    )
    hit = [planned.targets.nodes for planned in planned if planned.targets]
    assert len({*hit[0], *hit[1], *hit[2], *hit[3]}) == 5
    assert len(hit[4]) == 3


def test_a_window_that_finds_no_free_replica_shares_one() -> None:
    planned = plan(drill(Latency("all").between(1, 9), *(Kill("one").between(n, n + 0.5) for n in (2, 3, 4, 5))), 1)
    assert len({one.targets.nodes for one in planned[1:] if one.targets}) > 1


# ----------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PoissonFaults(per_minute={}, quiet_s=1), "at least one fault and its rate"),
        (
            lambda: PoissonFaults(per_minute={Kill("one"): 0}, quiet_s=1),
            "needs more than 0 and less than 48, at which windows of 0.5 to",
        ),
        (lambda: PoissonFaults(per_minute={Kill("one"): 48}, quiet_s=1), "less than 48"),
        (lambda: PoissonFaults(per_minute={Kill("one"): math.nan}, quiet_s=1), "less than 48"),
        (lambda: PoissonFaults(per_minute={Kill("one"): 1}, quiet_s=-1), "quiet_s=-1"),
        (lambda: PoissonFaults(per_minute={Kill("one"): 1}, quiet_s=1, shortest_s=3), "0.001 <= shortest_s <= longest_s"),
        (
            lambda: drill(PoissonFaults(per_minute={Kill("one"): 1}, quiet_s=18)),
            "does not fit in a load of 20 s",
        ),
        (lambda: drill(PoissonFaults(per_minute={Kill("n9"): 1}, quiet_s=1)), "No node or link called 'n9'"),
        (lambda: FaultSequence(faults=[], from_s=1, each_s=1), "at least one fault"),
        (lambda: FaultSequence(faults=[Kill("one")], from_s=1, each_s=0), "each_s=0"),
        (lambda: FaultSequence(faults=[Kill("one")], from_s=1, each_s=1, gap_s=-1), "gap_s=-1"),
        (lambda: drill(FaultSequence(faults=[Kill("one")] * 3, from_s=1, each_s=6, gap_s=1)), "ends at 21 s, after the load"),
        (lambda: Kill("one").flapping(1, 5, on_s=0, off_s=1), "needs at least 0.001 of each"),
        (lambda: Kill("one").flapping(1, 5, on_s=1, off_s=math.inf), "needs at least 0.001 of each"),
        (lambda: Kill("one").flapping(5, 1, on_s=1, off_s=1), "needs 0 <= from_s < to_s"),
        (lambda: Kill("one").flapping(1, 2, on_s=3, off_s=1), "on_s is longer than the window"),
        (lambda: drill(Kill("one").flapping(1, 21, on_s=1, off_s=1)), "ends at 21 s, after the load"),
        (lambda: Kill("n1").following(1, 2), "only a fault on 'leader' can follow it"),
        (lambda: drill(Kill("leader").following(1, 2)), "cannot say who leads"),
        (lambda: drill(Kill("half").between(1, 2), system=Echo()), "half of 1 replicas is none"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(make: object, message: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        make()  # type: ignore[operator]
    assert "\n" not in str(refused.value)


def test_half_of_the_replicas() -> None:
    for replicas, size in ((2, 1), (4, 2), (5, 2)):
        [planned] = plan(drill(Isolate("half").between(1, 2), system=Echo(replicas=replicas)), 7)
        assert planned.targets
        assert len(planned.targets.nodes) == size


# -------------------------------------------------------------------------------------------------- following the leader


@pytest.mark.slow
def test_a_fault_follows_the_leader_as_it_moves(tmp_path: Path) -> None:
    # Of `Led`, the last node that runs leads: killing n3 makes n2 the leader, and n3 again when that is back.
    done = run_drill(drill(Kill("leader").following(0.3, 3.3), system=Led(replicas=3), seconds=4), tmp_path)
    [fault] = done.result.faults
    assert set(fault.targets) == {"n2", "n3"}
    assert fault.acted
    assert fault.evidence.startswith("n3 pid ")
    events = done.history.events
    hit = list(events[events["kind"] == "killed"]["node"])
    assert hit[:3] == ["n3", "n2", "n3"]
    down = 0
    for kind in events[events["node"].isin(["n2", "n3"])]["kind"].iloc[2:]:
        down += {"killed": 1, "started": -1}.get(kind, 0)
        assert 0 <= down <= 1  # one at a time
    assert down == 0


@pytest.mark.slow
def test_a_fault_that_does_not_follow_stays(tmp_path: Path) -> None:
    done = run_drill(drill(Kill("leader").between(0.3, 2.3), system=Led(replicas=3), seconds=3), tmp_path)
    assert [fault.targets for fault in done.result.faults] == [("n3",)]


@pytest.mark.slow
def test_flapping_in_a_run(tmp_path: Path) -> None:
    flapping: Flapping = Kill("one").flapping(0.2, 2.2, on_s=0.4, off_s=0.4)
    done = run_drill(drill(flapping, system=Echo(replicas=3), seconds=2.5), tmp_path)
    assert [fault.acted for fault in done.result.faults] == [True] * 3
    assert len({fault.targets for fault in done.result.faults}) == 1
