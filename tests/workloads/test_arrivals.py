"""When calls fall due: from the seed and the load alone."""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.drill import Load
from harness.seeds import stream
from workloads.arrivals import due_ns

loads = st.builds(
    Load, rate=st.floats(0.1, 2000), seconds=st.floats(0.01, 5), arrivals=st.sampled_from(["constant", "poisson"])
)


@settings(deadline=None)
@given(loads, st.integers())
def test_due_times_ascend_within_the_load_and_are_repeated_by_the_seed(load: Load, seed: int) -> None:
    due = due_ns(load, Random(seed))
    assert due == due_ns(load, Random(seed))
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
    per_second = [sum(second * 1e9 <= at < (second + 1) * 1e9 for at in due) for second in range(20)]
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
