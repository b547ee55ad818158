"""Ejections, checks and choices of replicas: what no balancer may show, and what a correct one may."""

from __future__ import annotations

import pytest

from systems.serving.ejection import FALL_REQUESTS
from systems.serving.policy import FALL_CHECKS, RISE_CHECKS, Pool
from tests.helpers.watched_balancer import Balancer, looked_at


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


def test_a_request_is_sent_three_times_at_most() -> None:
    balancer = looked_at("r1", "r2", "r3", "r4", "r5")
    balancer.sent.choices.add("r3", ["r1", "r2"])
    assert balancer.look() is None
    balancer.sent.choices.add("r4", ["r1", "r2", "r3"])
    assert "r4 was chosen for a request that was sent 3 times before; 3 is the most" in (balancer.look() or "")


def test_a_replica_may_be_chosen_that_came_up_and_went_down_again() -> None:
    balancer = looked_at("r1", "r2")
    balancer.fails("r1", FALL_REQUESTS)
    assert balancer.look() is None
    assert balancer.look(0.3) is None
    balancer.check("r1", good=True, times=RISE_CHECKS)
    balancer.sent.choices.add("r1", [])
    balancer.fails("r1", FALL_REQUESTS)
    assert not balancer.pool.is_up("r1")
    assert balancer.look() is None


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
    balancer.check("r1", good=True, times=RISE_CHECKS - 1)
    looks = [balancer.look()]
    balancer.check("r1", good=True)
    looks += [balancer.look() for _ in range(70)]
    found = [why for why in looks if why is not None]
    assert not found if told is None else told in found[0]


def test_a_replica_may_go_down_and_come_up_between_two_looks() -> None:
    balancer = looked_at("r1", "r2")
    balancer.fails("r1", FALL_REQUESTS)
    balancer.now_s += 0.4
    balancer.check("r1", good=True, times=RISE_CHECKS)
    assert balancer.pool.is_up("r1")
    assert [balancer.look() for _ in range(70)] == [None] * 70


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
    for _ in range(RISE_CHECKS):
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
