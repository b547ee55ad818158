"""States that no balancer may show, and states that a correct one may."""

from __future__ import annotations

import math

import msgspec
import pytest

from systems.serving.admission import LEAST
from systems.serving.begun_rules import Begun
from systems.serving.invariant import BalancersKeepTheirRules
from tests.helpers.watched_balancer import SETTINGS, looked_at


def test_what_is_outstanding_is_what_connections_wait_for() -> None:
    balancer = looked_at("r1", "r2")
    balancer.pool.sent("r1", balancer.now_s, 3)
    balancer.sent.waits_for["r1"] = 3
    assert balancer.look() is None
    balancer.sent.waits_for["r1"] = 2
    assert "3 requests count as outstanding at r1, and it waits for 2" in (balancer.look() or "")


@pytest.mark.parametrize(("hedge_ms", "most_lost"), [(None, 0), (10.0, 2)])
def test_what_is_at_replicas_counts_as_let_in(hedge_ms: float | None, most_lost: int) -> None:
    balancer = looked_at("r1", "r2", settings=msgspec.structs.replace(SETTINGS, hedge_ms=hedge_ms))
    for name in ("r1", "r2"):
        balancer.begin(name, times=2)
    balancer.sent.lost = most_lost
    assert balancer.look() is None
    balancer.sent.lost += 1
    left = 3 - most_lost
    assert f"{left} requests count as let in and not answered, and 4 are at replicas" in (balancer.look() or "")


def test_a_checker_pauses_between_two_checks() -> None:
    balancer = looked_at("r1", "r2")
    for _ in range(5):
        balancer.checked.passed["r2"] += 1
        assert [balancer.look() for _ in range(10)] == [None] * 10
    balancer.checked.passed["r2"] += 1
    assert balancer.look() is None
    assert balancer.look() is None
    balancer.checked.failed["r2"] += 1
    assert "r2 was checked 2 times within 0.030 s" in (balancer.look() or "")


def test_what_was_given_up_is_not_held_against_a_replica() -> None:
    balancer = looked_at("r1", "r2")
    balancer.sent.ended_at["r1"] = 1
    balancer.fails("r1", 1)
    assert balancer.look() is None
    balancer.fails("r1", 1)
    assert "2 requests count as answered or failed at r1, and 1 were" in (balancer.look() or "")


def test_a_request_that_two_replicas_left_unanswered_goes_alone() -> None:
    balancer = looked_at("r1", "r2")
    balancer.sent.most_suspects = 1
    assert balancer.look() is None
    balancer.sent.most_suspects = 2
    assert "2 requests were sent together after two replicas had left them unanswered" in (balancer.look() or "")


def test_no_try_may_last_until_after_its_deadline() -> None:
    balancer = looked_at("r1", "r2")
    balancer.sent.past_deadline_s = 0.0
    assert balancer.look() is None
    balancer.sent.past_deadline_s = 0.05
    assert "a try may last until 0.050 s after its deadline" in (balancer.look() or "")


def test_retries_are_paid_for_out_of_what_was_earned() -> None:
    balancer = looked_at("r1", "r2")
    balancer.sent.admitted = 100
    balancer.budget.earn(100, balancer.now_s)
    balancer.sent.wanted = 20
    balancer.sent.sent = 100 + balancer.budget.spend(20, balancer.now_s)
    assert balancer.look() is None
    balancer.sent.sent += 1
    assert "121 requests were sent to replicas for 100 that were admitted, and 20 retries" in (balancer.look() or "")


def test_a_budget_holds_no_more_than_was_earned_of_late() -> None:
    balancer = looked_at("r1", "r2")
    balancer.budget.earn(60, balancer.now_s)
    assert "in the budget" in (balancer.look() or "")


def test_a_budget_may_be_as_large_as_when_it_was_last_used_although_it_is_looked_at_late() -> None:
    """A balancer that lacks CPU takes a request at one time, and has done with it long after."""
    balancer = looked_at("r1", "r2")
    balancer.sent.admitted = 1000
    balancer.budget.earn(1000, balancer.now_s)
    assert balancer.look() is None
    balancer.sent.admitted += 1
    balancer.budget.earn(1, balancer.now_s)
    assert balancer.look(after_s=2.0) is None
    balancer.sent.admitted += 1  # its budget should have decayed by now
    assert "in the budget" in (balancer.look() or "")


def test_retries_are_refused_only_if_they_cannot_be_paid_for() -> None:
    balancer = looked_at("r1", "r2")
    balancer.sent.admitted = 100
    balancer.budget.earn(100, balancer.now_s)
    assert balancer.look() is None
    assert balancer.budget.spend(40, balancer.now_s) < 40
    balancer.sent.wanted = 40
    balancer.sent.admitted += 100
    balancer.budget.earn(100, balancer.now_s)  # the budget is full again by the next look
    assert balancer.look() is None
    balancer.budget.refused += 1
    balancer.sent.wanted += 1
    assert "retries were refused, and the budget has 2" in (balancer.look() or "")


def test_a_retry_is_paid_for_or_refused() -> None:
    balancer = looked_at("r1", "r2")
    balancer.sent.wanted = 200
    balancer.budget.spend(200, balancer.now_s)
    assert balancer.look() is None
    balancer.budget.refused -= 1
    assert "of 200 retries, 10 count as paid for and 189 as refused" in (balancer.look() or "")


def test_a_budget_is_not_overdrawn() -> None:
    balancer = looked_at("r1", "r2")
    balancer.sent.wanted = balancer.budget.spend(10, balancer.now_s)
    balancer.budget._balance = -0.5
    assert "-0.5 retries are in the budget" in (balancer.look() or "")


def test_a_few_requests_are_always_let_in() -> None:
    balancer = looked_at("r1", "r2")
    balancer.admission._limit = float(LEAST - 1)
    assert "7 requests in at once, and 8 are the fewest" in (balancer.look() or "")


def test_a_replica_whose_breaker_is_open_is_left_out() -> None:
    balancer = looked_at("r1", "r2", "r3")
    balancer.open("r1")
    assert balancer.look() is None
    balancer.exchange("r2", times=10)
    assert balancer.look() is None
    balancer.exchange("r1")
    assert "breakers of r1 are not closed, and 1 may be left out; of 11 exchanges, 1 went there without" in (
        balancer.look() or ""
    )


def test_a_replica_whose_breaker_is_half_open_gets_its_probes_and_nothing_else() -> None:
    balancer = looked_at("r1", "r2", "r3")
    balancer.open("r1")
    assert balancer.look() is None
    assert balancer.look(after_s=1.0) is None, "it is half-open"
    balancer.begin("r1", times=4)
    assert balancer.look() is None
    balancer.exchange("r2", times=10)
    assert balancer.look() is None
    balancer.begin("r1")
    assert "the breakers of r1 are not closed, and 1 may be left out; of 15 exchanges, 1 went there" in (balancer.look() or "")


def test_hedges_may_come_too_late_for_the_last_probe() -> None:
    balancer = looked_at("r1", "r2", "r3", settings=msgspec.structs.replace(SETTINGS, hedge_ms=10.0))
    balancer.open("r1")
    assert [balancer.look(), balancer.look(after_s=1.0)] == [None, None]
    balancer.begin("r1", times=5)
    assert balancer.look() is None


def test_a_retry_may_have_no_other_replica_left() -> None:
    balancer = looked_at("r1", "r2", "r3")
    balancer.open("r1")
    assert balancer.look() is None
    balancer.sent.wanted = balancer.budget.spend(1, balancer.now_s)
    balancer.exchange("r1")
    assert balancer.look() is None


def test_a_hedge_that_is_paid_for_may_begin_later() -> None:
    balancer = looked_at("r1", "r2", "r3")
    balancer.open("r1")
    assert balancer.look() is None
    balancer.sent.wanted = balancer.budget.spend(1, balancer.now_s)
    assert [balancer.look() for _ in range(3)] == [None] * 3
    balancer.exchange("r1")
    balancer.sent.again += 1
    assert balancer.look() is None
    balancer.exchange("r1")
    assert "of 1 exchanges, 1 went there without a permit" in (balancer.look() or "")


@pytest.mark.parametrize("names", [("r1", "r2", "r3"), ("r1", "r2", "r3", "r4")])
def test_a_few_replicas_need_not_carry_the_load_of_all(names: tuple[str, ...]) -> None:
    balancer = looked_at(*names)
    balancer.open(*names[:-1])
    assert balancer.look() is None
    balancer.exchange("r1")
    assert balancer.look() is None
    balancer.exchange(names[-1], times=60)
    assert balancer.look() is None, "one went to r1"

    balancer = looked_at(*names)
    balancer.open(*names[:-1])
    assert balancer.look() is None
    balancer.exchange(names[-1], times=60)
    assert "may be left out; of 60 exchanges, none went there" in (balancer.look() or "")


def test_the_last_one_is_asked_though_its_breaker_is_open() -> None:
    balancer = looked_at("r1")
    balancer.open("r1")
    assert balancer.look() is None
    balancer.exchange("r1")
    assert balancer.look() is None


def test_a_breaker_is_told_of_every_failure() -> None:
    balancer = looked_at("r1", "r2")
    balancer.exchange("r1", times=3)
    assert balancer.look() is None
    permit = balancer.pool.sent("r1", balancer.now_s)
    balancer.sent.exchanged["r1"].begun(permit)
    balancer.pool.answered("r1", balancer.now_s, permit=permit)
    balancer.sent.exchanged["r1"].ended(permit, failed=True, took_s=0.0)
    assert "the breaker of r1: 0 failures are in its window, and 1 to 1 calls have failed" in (balancer.look() or "")


def test_a_breaker_does_not_wait_for_a_probe_that_was_given_up() -> None:
    balancer = looked_at("r1", "r2")
    balancer.open("r1")
    assert balancer.look() is None
    assert balancer.look(after_s=1.0) is None
    permit = balancer.pool.sent("r1", balancer.now_s)
    balancer.sent.exchanged["r1"].begun(permit)
    balancer.sent.waits_for["r1"] = 1
    assert balancer.look() is None
    balancer.pool.abandoned("r1")  # without its permit
    balancer.sent.exchanged["r1"].given_up(permit)
    balancer.sent.waits_for["r1"] = 0
    assert "the breaker of r1: it waits for 1 probes, and 0 calls are under way" in (balancer.look() or "")


def test_a_group_for_nobody_ends_as_soon_as_the_balancer_gets_to_it() -> None:
    balancer = looked_at("r1", "r2")
    balancer.groups.for_nobody = ["group"]
    assert [balancer.look(after_s=1.0) for _ in range(3)] == [None] * 3, "it is frozen"
    balancer.check("r1", good=True, times=7)
    assert balancer.look() is None
    balancer.groups.for_nobody = ["another group"]
    balancer.check("r1", good=True, times=7)
    assert balancer.look() is None
    balancer.check("r1", good=True, times=8)
    assert "since all its clients have gone there were 8 health checks" in (balancer.look() or "")


@pytest.mark.parametrize(("left_s", "why"), [(math.inf, None), (0.05, None), (0.03, "0.0300 s before its deadline")])
def test_a_replica_begins_nothing_that_it_cannot_end_in_time(left_s: float, why: str | None) -> None:
    found = BalancersKeepTheirRules().broken({"r1": Begun(least_left_s=left_s, service_s=0.05)})
    assert found is None if why is None else why in (found or "")
