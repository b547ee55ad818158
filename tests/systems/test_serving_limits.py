"""Budget, admission, ejection and choice alone: properties that hold in every order of events."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.errors import UsageError
from systems.parts.retry_budget import KEPT_S, RetryBudget
from systems.serving.admission import INTERVAL_S, LEAST, Admission
from systems.serving.ejection import FALL_REQUESTS
from systems.serving.policy import RISE_CHECKS, Pool
from systems.serving.settings import Settings

GAPS_S = st.floats(0, 5)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 50), GAPS_S), max_size=200), st.floats(0, 1), st.floats(0, 20))
def test_a_budget_is_never_exceeded(events: list[tuple[bool, int, float]], ratio: float, per_s: float) -> None:
    budget = RetryBudget(ratio, per_s)
    earned, now_s = 0, 0.0
    for arrives, requests, gap_s in events:
        now_s += gap_s
        if arrives:
            budget.earn(requests, now_s)
            earned += requests
        else:
            budget.spend(requests, now_s)
        assert budget.spent <= per_s * KEPT_S + ratio * earned + per_s * now_s + 1e-6
        assert budget.balance >= 0


def test_a_budget_allows_what_was_earned_and_then_refuses() -> None:
    budget = RetryBudget(0.2)
    budget.earn(50, 0.0)
    assert [budget.spend(retries, 0.0) for retries in (3, 1, 8, 1)] == [3, 1, 6, 0]
    assert (budget.spent, budget.refused) == (10, 3)


def test_what_was_earned_long_ago_is_worth_nothing() -> None:
    budget = RetryBudget(1.0)
    budget.earn(100, 0.0)
    assert not budget.spend(1, 10 * KEPT_S)


def test_no_ratio_is_no_limit() -> None:
    budget = RetryBudget(None)
    assert budget.spend(10_000, 0.0) == 10_000


def interval(admission: Admission, latencies_s: list[float], now_s: float, outstanding: int) -> None:
    """An interval in which that much was outstanding, and these answers came."""
    admission.admit(outstanding)
    for latency_s in latencies_s:
        admission.answered(latency_s, now_s)


def test_slowness_of_all_lowers_the_limit_and_quickness_raises_it() -> None:
    admission = Admission(0.1)
    for number in range(10):
        interval(admission, [0.3] * LEAST, number * INTERVAL_S * 1.01, 100)
    low = admission.limit
    assert low is not None
    assert low < 100
    assert not admission.admit(low)
    assert admission.admit(low - 1)
    for number in range(10, 500):
        interval(admission, [0.01] * LEAST, number * INTERVAL_S * 1.01, 100)
    assert (admission.limit or 0) > 90


@pytest.mark.parametrize(("quickest_s", "raised"), [(0.001, 400), (0.02, 50)])
def test_what_a_pause_cut_down_is_soon_back_if_answers_are_quick(quickest_s: float, raised: int) -> None:
    admission = Admission(0.1)
    for number in range(80):
        interval(admission, [0.3] * LEAST, number * INTERVAL_S * 1.01, 20)
    assert admission.limit == LEAST
    for number in range(80, 110):
        interval(admission, [quickest_s] * LEAST, number * INTERVAL_S * 1.01, 10_000)
    assert admission.limit is not None
    assert (admission.limit >= raised) is (quickest_s < 0.01)


def test_one_slow_replica_among_others_does_not_lower_it() -> None:
    admission = Admission(0.1)
    before = admission.limit
    for number in range(100):
        interval(admission, [2.0] * 50 + [0.01], number * INTERVAL_S * 1.01, 100)
    assert admission.limit == before


@given(st.lists(st.tuples(st.floats(0, 10), GAPS_S, st.integers(0, 1000)), max_size=300))
def test_some_requests_are_always_let_in(answers: list[tuple[float, float, int]]) -> None:
    admission, now_s = Admission(0.1), 0.0
    for latency_s, gap_s, outstanding in answers:
        now_s += gap_s
        admission.admit(outstanding)
        admission.answered(latency_s, now_s)
        assert admission.admit(LEAST - 1)


NAMES = ["r1", "r2", "r3", "r4", "r5"]
KINDS = st.sampled_from(["sent", "answered", "failed", "abandoned", "check_passed"])


@given(st.lists(st.tuples(KINDS, st.sampled_from(NAMES), st.integers(1, 5), GAPS_S), max_size=200), st.floats(0, 1))
def test_never_all_ejected_and_never_less_than_nothing_outstanding(
    events: list[tuple[str, str, int, float]], max_ejected: float
) -> None:
    pool = Pool(NAMES, Settings(max_ejected=max_ejected))
    times = list(accumulate(gap_s for *_, gap_s in events))
    for (kind, name, requests, _), now_s in zip(events, times, strict=True):
        match kind:
            case "sent":
                pool.sent(name, now_s, requests)
            case "answered":
                pool.answered(name, now_s, requests)
            case "abandoned":
                pool.abandoned(name, requests)
            case "failed":
                pool.failed(name, "broken", now_s, requests)
            case _:
                pool.check_passed(name, now_s)
        status = pool.status(now_s)
        assert any(replica.up for replica in status)
        assert all(replica.outstanding >= 0 for replica in status)
        assert pool.choose((), now_s) in {replica.name for replica in status if replica.up}


def ejected_for_s(pool: Pool, from_s: float) -> float:
    """Fail a replica out of service and bring it back: how long that took, to a hundredth of a second."""
    assert pool.failed("r1", "broken", from_s, FALL_REQUESTS)
    for step in range(10_000):
        if pool.check_passed("r1", from_s + step / 100):
            return step / 100
    raise AssertionError("it did not return")


def test_each_ejection_is_twice_as_long_as_the_one_before_up_to_the_longest() -> None:
    pool = Pool(NAMES, Settings(ejection_ms=300, longest_ejection_ms=2000))
    now_s, lasted_s = 0.0, []
    for _ in range(5):
        lasted_s.append(ejected_for_s(pool, now_s))
        now_s += lasted_s[-1]
    assert lasted_s == pytest.approx([0.3, 0.6, 1.2, 2, 2], abs=0.011)
    assert ejected_for_s(pool, now_s + 60) == pytest.approx(0.3, abs=0.011)


def test_a_replica_that_returned_gets_a_growing_share() -> None:
    pool = Pool(["r1", "r2"], Settings(slow_start_ms=1000, ejection_ms=0))
    pool.failed("r1", "broken", 0.0, FALL_REQUESTS)
    for _ in range(RISE_CHECKS):
        pool.check_passed("r1", 10.0)
    shares = [Counter(pool.choose((), now_s) for _ in range(4000))["r1"] / 4000 for now_s in (10.0, 10.5, 11.0)]
    assert shares == pytest.approx([0.025, 0.25, 0.5], abs=0.04)


@pytest.mark.parametrize("strategy", ["round-robin", "least-outstanding", "two-choices"])
def test_every_strategy_spreads_evenly_over_equals(strategy: str) -> None:
    pool = Pool(NAMES, Settings(strategy=strategy))  # type: ignore[arg-type]
    chosen = Counter(pool.choose() for _ in range(10_000))
    assert [chosen[name] for name in NAMES] == pytest.approx([2000] * 5, rel=0.1)


@given(st.lists(st.integers(0, 100), min_size=5, max_size=5, unique=True))
def test_two_choices_never_takes_the_busiest_and_the_least_takes_the_idlest(outstanding: list[int]) -> None:
    by_load = [name for _, name in sorted(zip(outstanding, NAMES, strict=True))]
    for strategy, allowed in (("two-choices", set(by_load[:-1])), ("least-outstanding", {by_load[0]})):
        pool = Pool(NAMES, Settings(strategy=strategy))  # type: ignore[arg-type]
        for name, requests in zip(NAMES, outstanding, strict=True):
            pool.sent(name, 0.0, requests)
        assert {pool.choose() for _ in range(100)} <= allowed


@pytest.mark.parametrize(
    ("name", "value"), [("strategy", "random"), ("retry_ratio", 2), ("max_ejected", -0.1), ("ejection_ms", float("nan"))]
)
def test_settings_that_make_no_sense_are_refused(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=name):
        Settings(**{name: value})  # type: ignore[arg-type]
