"""Wilson's interval: compared with scipy's, and in cases that need no formula."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from results.analysis.proportions import Interval, wilson

COUNTS = st.integers(1, 200).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials)))


@given(COUNTS, st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_it_is_what_scipy_says(counts: tuple[int, int], confidence: float) -> None:
    successes, trials = counts
    theirs = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    assert wilson(successes, trials, confidence=confidence) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@given(COUNTS)
def test_it_holds_what_was_observed_and_stays_between_0_and_1(counts: tuple[int, int]) -> None:
    successes, trials = counts
    low, high = wilson(successes, trials)
    assert 0 <= low <= successes / trials <= high <= 1


def test_nothing_is_known_without_trials() -> None:
    assert wilson(0, 0) == Interval(0, 1)


def test_the_bound_beyond_all_or_nothing_is_exact() -> None:
    assert wilson(3, 3).high == 1
    assert wilson(0, 3).low == 0
