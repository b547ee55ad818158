"""When calls are due: from the seed and the load alone."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, Literal

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.model.errors import UsageError
from harness.model.load import Load
from harness.model.seeds import stream
from harness.model.shapes import Diurnal, Ramp, Replay, Shape, Spikes, Steps
from harness.run.catalog import find_drill
from tests.helpers.effort import cases
from workloads.load.arrivals import blocks, due_ns, expected

factors = st.floats(0, 5)
shapes = st.one_of(
    st.none(),
    st.builds(Ramp, start=factors, end=factors, over_s=st.none() | st.floats(0.01, 9)),
    st.builds(Steps, factors=st.lists(factors, min_size=1, max_size=5).map(tuple), every_s=st.floats(0.01, 3)),
    st.builds(Spikes, base=factors, peak=factors, every_s=st.floats(0.5, 3), for_s=st.floats(0.001, 0.4)),
    st.builds(Diurnal, amplitude=st.floats(0, 1), period_s=st.floats(0.1, 20)),
)
loads = st.builds(
    Load,
    rate=st.floats(0.1, 2000),
    seconds=st.floats(0.01, 5),
    arrivals=st.sampled_from(["constant", "poisson"]),
    shape=shapes,
)


def integral(shape: Shape | None, to_s: float, seconds: float) -> float:
    """The shape's rate, summed up by the trapezoid rule: slow, plain, and not the code under test."""
    at = np.linspace(0, to_s, 20_001)
    if shape is None:
        return to_s
    if isinstance(shape, Diurnal):
        rate = 1 + shape.amplitude * np.sin(2 * math.pi * at / shape.period_s)
    else:
        assert not isinstance(shape, Replay)
        points = np.array(shape.points(seconds))
        rate = np.interp(at, points[:, 0] + np.arange(len(points)) * 1e-12, points[:, 1])
    return float(np.sum((rate[1:] + rate[:-1]) / 2 * np.diff(at)))


@settings(deadline=None)
@given(loads, st.integers())
def test_due_times_ascend_within_the_load_and_are_repeated_by_the_seed(load: Load, seed: int) -> None:
    due = due_ns(load, Random(seed))
    assert (due == due_ns(load, Random(seed))).all()
    assert all(0 <= at < load.seconds * 1e9 + 1 for at in due)
    assert all(one <= other for one, other in pairwise(due))


@settings(deadline=None)
@given(st.floats(1, 2000), st.floats(0.1, 5))
def test_constant_arrivals_are_evenly_spaced(rate: float, seconds: float) -> None:
    due = due_ns(Load(rate=rate, seconds=seconds, arrivals="constant"), Random(0))
    assert len(due) == round(rate * seconds)
    assert all(abs((other - one) - 1e9 / rate) <= 1 for one, other in pairwise(due))


def test_poisson_arrivals_have_the_rate_the_spread_and_the_gaps_of_a_poisson_process() -> None:
    load = Load(rate=1000, seconds=20)
    due = due_ns(load, Random(1))
    count = load.rate * load.seconds
    assert abs(len(due) - count) < 5 * math.sqrt(count)
    gaps = [other - one for one, other in pairwise(due)]
    longer = sum(gap > 1e9 / load.rate for gap in gaps) / len(gaps)
    assert abs(longer - math.exp(-1)) < 0.02
    per_second = np.histogram(due, bins=20, range=(0, 20e9))[0].tolist()
    mean = sum(per_second) / 20
    variance = sum((n - mean) ** 2 for n in per_second) / 19
    assert 0.3 < variance / mean < 2.5  # one for a Poisson process, nothing for an even one


@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
def test_a_load_too_small_for_a_call_has_none_or_few(arrivals: Literal["constant", "poisson"]) -> None:
    assert len(due_ns(Load(rate=0.001, seconds=0.1, arrivals=arrivals), Random(1))) <= 1


def test_streams_of_one_seed_do_not_resemble_each_other() -> None:
    draws = {(seed, name): stream(seed, name).random() for seed in range(50) for name in ("calls", "arrivals", "targets")}
    assert len(set(draws.values())) == len(draws)
    assert stream(1, "calls").random() == draws[1, "calls"]


@settings(deadline=None, max_examples=cases(50))
@given(loads, st.integers(1, 700))
def test_blocks_of_any_size_are_the_same_times(load: Load, size: int) -> None:
    drawn = list(blocks(load, Random(3), size))
    assert all(0 < len(block) <= size for block in drawn)
    assert np.concatenate([np.empty(0), *drawn]).tolist() == due_ns(load, Random(3)).tolist()


@settings(deadline=None, max_examples=cases(50))
@given(shapes, st.floats(0.5, 5))
def test_calls_fall_due_as_the_rate_adds_up(shape: Shape | None, seconds: float) -> None:
    load = Load(rate=1000, seconds=seconds, arrivals="constant", shape=shape)
    due = due_ns(load, Random(0))
    whole = integral(shape, seconds, seconds) * 1000
    assert abs(len(due) - whole) <= 2 + whole * 1e-3
    assert len(due) == round(expected(load))
    for part in (0.25, 0.5, 0.9):
        by_then = integral(shape, seconds * part, seconds) * 1000
        assert abs(int(np.count_nonzero(due < seconds * part * 1e9)) - by_then) <= 2 + whole * 1e-3


@pytest.mark.parametrize("rate", [1, 333, 20_000])
def test_the_rate_of_constant_arrivals_is_exact(rate: float) -> None:
    due = due_ns(Load(rate=rate, seconds=10, arrivals="constant"), Random(0))
    assert len(due) == rate * 10
    assert abs((len(due) - 1) / (int(due[-1]) - int(due[0])) * 1e9 / rate - 1) < 1e-6


@pytest.mark.parametrize(
    "shape",
    [None, Spikes(peak=5, every_s=3, for_s=1), Diurnal(amplitude=0.8, period_s=6), Ramp(), Steps(factors=(0, 2), every_s=2)],
)
def test_poisson_gaps_pass_a_kolmogorov_smirnov_test(shape: Shape | None) -> None:
    load = Load(rate=2000, seconds=10, shape=shape)
    due = due_ns(load, Random(5)) / 1e9
    if shape is None:
        grown = due
    else:  # by the time-change theorem the gaps are exponential where time runs as the rate's integral does
        at = np.linspace(0, 10, 200_001)
        steps = np.concatenate(([0.0], np.cumsum(rate_of(shape, (at[1:] + at[:-1]) / 2) * np.diff(at))))
        grown = np.interp(due, at, steps)
    gaps = np.sort(np.diff(grown) * load.rate)
    ranks = np.arange(1, len(gaps) + 1) / len(gaps)
    distance = np.max(np.abs(1 - np.exp(-gaps) - ranks + 0.5 / len(gaps))) + 0.5 / len(gaps)
    assert distance < 1.63 / math.sqrt(len(gaps))  # the Kolmogorov distribution's 99% point


def rate_of(shape: Shape, at: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Each shape by its definition."""
    match shape:
        case Spikes(base=base, peak=peak, every_s=every_s, for_s=for_s):
            return np.where((at >= every_s) & (at % every_s < for_s), peak, base)
        case Diurnal(amplitude=amplitude, period_s=period_s):
            return 1 + amplitude * np.sin(2 * math.pi * at / period_s)
        case Ramp(start=start, end=end):
            return start + (end - start) * at / 10
        case Steps(factors=levels, every_s=every_s):
            level: np.ndarray[tuple[int], np.dtype[np.float64]] = np.array(levels, dtype=float)
            chosen: np.ndarray[tuple[int], np.dtype[np.float64]] = level[
                np.minimum((at / every_s).astype(int), len(levels) - 1)
            ]
            return chosen
        case _:
            raise TypeError(shape)


def test_a_trace_is_replayed(tmp_path: Path) -> None:
    file = tmp_path / "trace.txt"
    file.write_text("0.5\n0.25\n\n1e-3\n7\n")
    assert due_ns(Load(rate=1, seconds=5, shape=Replay(file=str(file))), Random(0)).tolist() == [10**6, 25 * 10**7, 5 * 10**8]
    assert due_ns(Load(rate=1, seconds=5, shape=Replay(file=str(file), speed=2)), Random(0))[-1] == 35 * 10**8
    file.write_text("0.5\nsoon\n")
    with pytest.raises(UsageError, match="line 2: expected a time in seconds"):
        due_ns(Load(rate=1, seconds=5, shape=Replay(file=str(file))), Random(0))


@settings(deadline=None)
@given(loads)
def test_a_shaped_load_travels_as_json(load: Load) -> None:
    assert msgspec.json.decode(msgspec.json.encode(load), type=Load) == load


def test_a_shape_is_set_on_the_command_line() -> None:
    assert find_drill("overload/spike", ["load.shape.peak=9"]).drill.load.shape == Spikes(peak=9, every_s=4, for_s=1)
    set_whole = find_drill("quorum/healthy", ['load.shape={"type": "Ramp", "end": 2}', "load.rate=7"]).drill.load
    assert (set_whole.shape, set_whole.rate) == (Ramp(end=2), 7)


@pytest.mark.parametrize(
    ("kind", "fields", "why"),
    [
        (Ramp, {"start": -1}, "start=-1"),
        (Steps, {"factors": (), "every_s": 1}, "one or more"),
        (Spikes, {"peak": 2, "every_s": 1, "for_s": 1}, "less than every_s"),
        (Diurnal, {"amplitude": 1.5, "period_s": 1}, "at most 1"),
        (Replay, {"file": "/nowhere/at/all"}, "no such file"),
    ],
)
def test_a_shape_that_makes_no_sense_is_refused(kind: type[Shape], fields: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        kind(**fields)
