"""When calls of the load engine's workers are due: together they make exactly the requested load."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.load import Load
from harness.model.shapes import Ramp, Shape, Spikes
from workloads.load.arrivals import due_ns
from workloads.load.engine.schedule import NEVER_NS, Schedule

BEGIN_NS = 5_000_000_000


def schedules(load: Load, workers: int, warm_up_s: float = 0.0) -> list[Schedule]:
    made = [Schedule(load, warm_up_s, seed=3, number=number, workers=workers) for number in range(workers)]
    for schedule in made:
        schedule.begin(BEGIN_NS)
    return made


def rest(schedule: Schedule) -> list[int]:
    return schedule.take(1 << 30, NEVER_NS).tolist() + (rest(schedule) if schedule.next_ns != NEVER_NS else [])


@given(
    workers=st.integers(1, 4),
    arrivals=st.sampled_from(["constant", "poisson"]),
    shape=st.sampled_from([None, Ramp(), Spikes(peak=3, every_s=0.4, for_s=0.1)]),
    rate=st.floats(1, 9000),
)
def test_the_workers_together_make_the_load_that_was_drawn(
    workers: int, arrivals: str, shape: Shape | None, rate: float
) -> None:
    load = Load(rate=rate, seconds=1, arrivals="poisson" if arrivals == "poisson" else "constant", shape=shape)
    parts = [rest(schedule) for schedule in schedules(load, workers)]
    # The blocks' size is a part of how Poisson times are drawn, so only one worker's can be compared to the last bit.
    expected = due_ns(load, np.random.default_rng([3, 0])) + BEGIN_NS
    together = np.sort(np.concatenate([np.array(part, np.int64) for part in parts]))
    assert all(part == sorted(part) for part in parts)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    if arrivals == "constant":
        assert together.tolist() == expected.tolist()
    else:
        assert abs(len(together) - len(expected)) <= 6 * np.sqrt(len(expected)) + 6


@pytest.mark.parametrize("workers", [1, 3])
def test_another_rate_holds_from_its_time_on(workers: int) -> None:
    load = Load(rate=1000, seconds=1, arrivals="constant")
    made = schedules(load, workers)
    for schedule in made:
        schedule.set_rate(3000, BEGIN_NS + 500_000_000)
    times = np.sort(np.concatenate([np.array(rest(schedule)) for schedule in made])) - BEGIN_NS
    assert (times < 500_000_000).sum() == 500
    assert (times >= 500_000_000).sum() == 1500


def test_a_shape_goes_on_where_it_was_at_another_rate() -> None:
    load = Load(rate=1000, seconds=1, arrivals="constant", shape=Ramp())
    (schedule,) = schedules(load, 1)
    schedule.set_rate(2000, BEGIN_NS + 500_000_000)
    times = np.array(rest(schedule)) - BEGIN_NS
    doubled = due_ns(dataclasses.replace(load, rate=2000), np.random.default_rng(0))
    assert times[times >= 500_000_000].tolist() == doubled[doubled >= 500_000_000].tolist()


def test_what_was_due_before_another_rate_stays_due() -> None:
    (schedule,) = schedules(Load(rate=1000, seconds=1, arrivals="constant"), 1)
    assert len(schedule.take(100, NEVER_NS)) == 100
    schedule.set_rate(10, BEGIN_NS + 300_000_000)
    assert schedule.waiting(BEGIN_NS + 299_999_999) == 200
    assert len(rest(schedule)) == 200 + 7


def test_a_call_is_not_due_twice_where_an_order_comes_late() -> None:
    (schedule,) = schedules(Load(rate=1000, seconds=1, arrivals="constant"), 1)
    taken = schedule.take(600, NEVER_NS)
    schedule.set_rate(1000, BEGIN_NS + 500_000_000)
    assert min(rest(schedule)) > taken[-1]


def test_the_warm_up_has_the_load_s_rate_and_is_not_counted() -> None:
    (schedule,) = schedules(Load(rate=100, seconds=1, arrivals="constant", shape=Ramp(start=0, end=1)), 1, warm_up_s=0.5)
    assert schedule.counted_from_ns == BEGIN_NS + 500_000_000
    assert schedule.waiting(NEVER_NS) == 50
    assert len(rest(schedule)) == 50 + 50


@given(at=st.floats(-0.2, 1.5))
def test_nothing_falls_due_after_a_stop(at: float) -> None:
    (schedule,) = schedules(Load(rate=1000, seconds=1, arrivals="constant"), 1, warm_up_s=0.2)
    at_ns = BEGIN_NS + round(at * 1e9)
    schedule.stop(at_ns)
    assert all(due < at_ns for due in rest(schedule))
    assert schedule.end_ns == min(at_ns, BEGIN_NS + 1_200_000_000)
