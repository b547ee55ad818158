"""States that no balancer may show, and states that a correct one may."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import cast

import pytest

from systems.parts.retry_budget import RetryBudget
from systems.serving.admission import LEAST, Admission
from systems.serving.choice_rules import Choices
from systems.serving.dispatch import Dispatcher
from systems.serving.ejection import FALL_REQUESTS
from systems.serving.exchanges import Exchanges, Tries
from systems.serving.health import HealthChecker
from systems.serving.invariant import BalancersKeepTheirRules, Shown
from systems.serving.policy import FALL_CHECKS, RISE_CHECKS, Pool
from systems.serving.settings import Settings

SETTINGS = Settings(ejection_ms=300, longest_ejection_ms=1000, retry_ratio=0.2, retries_per_s=1)
LOOK_S = 0.01


@dataclass
class Sent:
    """As much of a dispatcher as is looked at."""

    admitted: int = 0
    outstanding: int = 0
    wanted: int = 0
    sent: int = 0
    most_suspects: int = 0
    waits_for: dict[str, int] = field(default_factory=dict)
    choices: Choices = field(default_factory=Choices)
    tries: Tries = field(default_factory=lambda: Tries(0.1))

    ended_at: dict[str, int] = field(default_factory=dict)
    exchanged: defaultdict[str, Exchanges] = field(default_factory=lambda: defaultdict(lambda: Exchanges(slow_s=1.0)))

    def exchanges(self, name: str) -> Exchanges:
        return self.exchanged[name]

    def awaited(self, name: str) -> int:
        return self.waits_for.get(name, 0)

    def ended(self, name: str) -> int:
        return self.ended_at.get(name, 1000)


@dataclass
class Checked:
    passed: dict[str, int]
    failed: dict[str, int]


class Balancer:
    """Parts of a balancer, with the invariant checked after each step."""

    def __init__(self, *names: str, pool: type[Pool] = Pool) -> None:
        self.now_s = 100.0
        self.pool = pool(names, SETTINGS)
        self.sent = Sent()
        self.admission = Admission(0.1)
        self.budget = RetryBudget(SETTINGS.retry_ratio, SETTINGS.retries_per_s)
        self.checked = Checked(dict.fromkeys(names, 0), dict.fromkeys(names, 0))
        self._invariant = BalancersKeepTheirRules()

    def look(self, after_s: float = LOOK_S) -> str | None:
        self.now_s += after_s
        shown = Shown(
            now_s=self.now_s,
            settings=SETTINGS,
            pool=self.pool,
            dispatcher=cast(Dispatcher, self.sent),
            admission=self.admission,
            retry_budget=self.budget,
            checker=cast(HealthChecker, self.checked),
        )
        return self._invariant.broken({"balancer": shown, "r1": object()})

    def fails(self, name: str, times: int) -> None:
        for _ in range(times):
            self.pool.failed(name, "why", self.now_s)

    def exchange(self, name: str, *, ok: bool = True, times: int = 1) -> None:
        """Exchanges of one request each."""
        for _ in range(times):
            permit = self.pool.sent(name, self.now_s)
            self.sent.exchanged[name].begun(permit)
            if ok:
                self.pool.answered(name, self.now_s, permit=permit)
            else:
                self.pool.failed(name, "why", self.now_s, permit=permit)
            self.sent.exchanged[name].ended(permit, failed=not ok, took_s=0.0)

    def open(self, *names: str) -> None:
        """Have the breakers of these replicas open, without any failures in a row."""
        for name in names:
            for _ in range(20):
                self.exchange(name, ok=False)
                self.exchange(name)

    def check(self, name: str, *, good: bool, times: int = 1) -> None:
        for _ in range(times):
            (self.checked.passed if good else self.checked.failed)[name] += 1
            if good:
                self.pool.check_passed(name, self.now_s)
            else:
                self.pool.check_failed(name, "why", self.now_s)


def looked_at(*names: str, pool: type[Pool] = Pool) -> Balancer:
    """A balancer that has just started."""
    balancer = Balancer(*names, pool=pool)
    assert balancer.look() is None
    return balancer


def test_a_replica_that_fails_and_returns_breaks_nothing() -> None:
    balancer = looked_at("r1", "r2")
    for lasts_s in (0.3, 0.6, 1.0, 1.0):
        balancer.fails("r1", FALL_REQUESTS)
        assert balancer.look() is None
        balancer.check("r1", good=True, times=RISE_CHECKS)
        assert balancer.look(lasts_s) is None
        assert not balancer.pool.is_up("r1")
        balancer.check("r1", good=True)
        assert balancer.look() is None
        assert balancer.pool.is_up("r1")
    assert balancer.look(5.0) is None
    balancer.fails("r1", FALL_REQUESTS)
    assert balancer.look() is None


def test_an_answer_soon_after_an_ejection_says_nothing_of_the_failures_before_it() -> None:
    balancer = looked_at("r1", "r2")
    balancer.fails("r1", FALL_REQUESTS - 1)
    assert balancer.look() is None
    balancer.fails("r1", 1)
    balancer.pool.answered("r1", balancer.now_s)
    assert balancer.look() is None


def test_an_ejection_after_too_few_failures_in_a_row() -> None:
    balancer = looked_at("r1", "r2")
    balancer.fails("r1", FALL_REQUESTS - 1)
    assert balancer.look() is None
    for replica in balancer.pool.replicas:
        replica.answered += 1  # and the failures before it are not forgotten
    assert balancer.look() is None
    balancer.fails("r1", 1)
    assert "ejected after 1 failures in a row" in (balancer.look() or "")


@pytest.mark.parametrize(
    ("until_s", "told"), [(5.0, "and 1 s is the longest"), (0.9, "0.3 s are due"), (-1.0, None), (0.29, None)]
)
def test_an_ejection_that_is_too_long(until_s: float, told: str | None) -> None:
    balancer = looked_at("r1", "r2")
    balancer.fails("r1", FALL_REQUESTS)
    balancer.pool.replicas[0].ejection.until_s = balancer.now_s + until_s
    why = balancer.look()
    assert why is None if told is None else told in (why or "")


def test_a_second_ejection_that_is_no_longer_than_the_first() -> None:
    balancer = looked_at("r1", "r2")
    balancer.fails("r1", FALL_REQUESTS)
    assert balancer.look() is None
    balancer.now_s += 0.4
    balancer.check("r1", good=True, times=RISE_CHECKS)
    assert balancer.look() is None
    balancer.pool.replicas[0].ejection.count = 0
    balancer.fails("r1", FALL_REQUESTS)
    assert "twice the last time" in (balancer.look() or "")


def test_a_return_before_the_end_of_an_ejection() -> None:
    balancer = looked_at("r1", "r2")
    balancer.fails("r1", FALL_REQUESTS)
    assert balancer.look() is None
    balancer.pool.replicas[0].ejection.until_s = None
    balancer.check("r1", good=True, times=RISE_CHECKS)
    assert "before the end of its ejection" in (balancer.look() or "")


class EjectsAll(Pool):
    def may_eject(self, name: str, now_s: float) -> bool:
        return True


def test_more_are_ejected_than_may_be() -> None:
    balancer = looked_at("r1", "r2", "r3", pool=EjectsAll)
    balancer.fails("r1", FALL_REQUESTS)
    assert balancer.look() is None
    balancer.fails("r2", FALL_REQUESTS)
    assert "r1, r2 are ejected at once, and 1 may be" in (balancer.look() or "")


def test_the_last_one_is_ejected() -> None:
    balancer = looked_at("r1", "r2", pool=EjectsAll)
    balancer.check("r2", good=False, times=FALL_CHECKS)
    assert balancer.look() is None
    balancer.fails("r1", FALL_REQUESTS)
    assert "the last one that was up" in (balancer.look() or "")


@pytest.mark.parametrize(
    ("name", "tried", "told"),
    [
        ("r1", ["r2"], None),
        ("r1", ["r1"], "r1 was chosen for a request for which it had been tried"),
        ("r2", ["r3"], "r2 was chosen, which is down, and r1 could have been"),
        ("r2", ["r1", "r3"], None),  # a retry that has no other replica left
        (None, ["r2"], "no replica was chosen, and r1, r3 could have been"),
        (None, ["r1", "r3"], None),
    ],
)
def test_a_replica_is_chosen_that_is_up_and_was_not_tried(name: str | None, tried: list[str], told: str | None) -> None:
    balancer = looked_at("r1", "r2", "r3")
    balancer.fails("r2", FALL_REQUESTS)
    balancer.sent.choices.add("r2", [])  # before it was down
    assert balancer.look() is None
    balancer.sent.choices.add(name, tried)
    why = balancer.look()
    assert why is None if told is None else told in (why or "")


def test_a_replica_with_nothing_to_do_is_chosen_now_and_then() -> None:
    balancer = looked_at("r1", "r2", "r3")
    for _ in range(99):
        balancer.sent.choices.add("r1", [])
        balancer.sent.choices.add("r2", ["r3"])
        assert balancer.look() is None
    balancer.sent.choices.add("r2", [])
    balancer.sent.choices.add("r2", [])
    assert "r3 is up and has nothing to do, and none of the last 101 choices fell on it" in (balancer.look() or "")


def test_a_busy_replica_may_be_passed_over() -> None:
    balancer = looked_at("r1", "r2")
    balancer.pool.sent("r2", balancer.now_s)
    balancer.sent.waits_for["r2"] = 1
    for _ in range(300):
        balancer.sent.choices.add("r1", [])
        assert balancer.look() is None


@pytest.mark.parametrize(
    ("slow_start_s", "told"), [(0.5, None), (0.0, "the share of r1 is 1.000"), (5.0, "the share of r1 is 0.0")]
)
def test_a_replica_that_came_up_gets_a_share_that_grows_as_it_should(slow_start_s: float, told: str | None) -> None:
    balancer = looked_at("r1", "r2")
    balancer.pool._slow_start_s = slow_start_s
    balancer.fails("r1", FALL_REQUESTS)
    assert balancer.look() is None
    balancer.now_s += 0.4
    balancer.check("r1", good=True, times=RISE_CHECKS)
    found = [why for _ in range(70) if (why := balancer.look()) is not None]
    assert not found if told is None else told in found[0]


class Careless(Pool):
    """Ejects nothing, and takes nothing down or up."""

    def may_eject(self, name: str, now_s: float) -> bool:
        return False

    def check_failed(self, name: str, why: str, now_s: float) -> bool:
        return False

    def check_passed(self, name: str, now_s: float) -> bool:
        return False


def test_a_replica_is_still_up_after_as_many_failed_checks_as_take_it_down() -> None:
    balancer = looked_at("r1", "r2", pool=Careless)
    balancer.check("r1", good=True)
    assert balancer.look() is None
    balancer.check("r1", good=False, times=FALL_CHECKS - 1)
    assert balancer.look() is None
    balancer.check("r1", good=False)
    assert "r1 is up after 3 failed checks in a row" in (balancer.look() or "")


def test_a_replica_is_still_down_after_as_many_good_checks_as_bring_it_up() -> None:
    balancer = looked_at("r1", "r2", pool=Careless)
    Pool.check_failed(balancer.pool, "r1", "why", balancer.now_s)
    balancer.pool.replicas[0].up = False
    balancer.checked.failed["r1"] += FALL_CHECKS
    assert balancer.look() is None
    balancer.check("r1", good=True, times=RISE_CHECKS - 1)
    assert balancer.look() is None
    balancer.check("r1", good=True)
    assert "r1 is down after 2 good checks in a row" in (balancer.look() or "")


def test_a_replica_is_down_as_long_as_its_ejection_lasts_whatever_its_checks_say() -> None:
    balancer = looked_at("r1", "r2")
    balancer.fails("r1", FALL_REQUESTS)
    for _ in range(20):
        balancer.check("r1", good=True)
        assert balancer.look() is None
    assert not balancer.pool.is_up("r1")


def test_a_replica_is_not_ejected_after_as_many_failures_as_are_due() -> None:
    balancer = looked_at("r1", "r2", pool=Careless)
    balancer.fails("r1", FALL_REQUESTS - 1)
    assert balancer.look() is None
    balancer.fails("r1", 1)
    assert "r1 is not ejected after 3 failures in a row" in (balancer.look() or "")


def test_a_replica_that_no_other_can_stand_in_for_need_not_be_ejected() -> None:
    balancer = looked_at("r1", "r2")
    balancer.check("r2", good=False, times=FALL_CHECKS)
    assert balancer.look() is None
    balancer.fails("r1", FALL_REQUESTS)
    assert balancer.look() is None
    assert balancer.pool.is_up("r1")


def test_checks_take_a_replica_down_and_bring_it_up_by_so_many_in_a_row() -> None:
    balancer = looked_at("r1", "r2")
    balancer.check("r1", good=False, times=FALL_CHECKS)
    assert balancer.look() is None
    balancer.check("r1", good=True, times=RISE_CHECKS)
    assert balancer.look() is None
    balancer.check("r1", good=False, times=FALL_CHECKS - 1)
    assert balancer.look() is None
    balancer.check("r1", good=True)
    assert balancer.look() is None
    balancer.pool.replicas[0].failed_checks = FALL_CHECKS - 1
    balancer.check("r1", good=False)
    assert "went down after 1 failed checks in a row" in (balancer.look() or "")


def test_what_came_before_the_first_look_counts_as_well() -> None:
    balancer = Balancer("r1", "r2")
    balancer.check("r1", good=False)
    balancer.fails("r2", 1)
    assert balancer.look() is None
    balancer.check("r1", good=False, times=FALL_CHECKS - 1)
    assert balancer.look() is None
    assert not balancer.pool.is_up("r1")
    balancer.check("r1", good=True, times=RISE_CHECKS)
    assert balancer.look() is None
    balancer.fails("r2", FALL_REQUESTS - 1)
    assert balancer.look() is None
    assert not balancer.pool.is_up("r2")


def test_a_replica_comes_up_after_one_good_check() -> None:
    balancer = looked_at("r1", "r2")
    balancer.check("r1", good=False, times=FALL_CHECKS)
    assert balancer.look() is None
    balancer.pool.replicas[0].good_checks = RISE_CHECKS - 1
    balancer.check("r1", good=True)
    assert "came up after 1 good checks in a row" in (balancer.look() or "")


def test_what_is_outstanding_is_what_connections_wait_for() -> None:
    balancer = looked_at("r1", "r2")
    balancer.pool.sent("r1", balancer.now_s, 3)
    balancer.sent.waits_for["r1"] = 3
    assert balancer.look() is None
    balancer.sent.waits_for["r1"] = 2
    assert "3 requests count as outstanding at r1, and it waits for 2" in (balancer.look() or "")


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
    assert "the breakers of r1 are open, and 1 may be left out; of 11 exchanges, 1 went there" in (balancer.look() or "")


def test_a_retry_may_have_no_other_replica_left() -> None:
    balancer = looked_at("r1", "r2", "r3")
    balancer.open("r1")
    assert balancer.look() is None
    balancer.sent.wanted = balancer.budget.spend(1, balancer.now_s)
    balancer.exchange("r1")
    assert balancer.look() is None


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
