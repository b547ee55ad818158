"""Which replica is next, and which are up: the balancer's decisions, from what happened."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from systems.serving.ejection import FALL_REQUESTS
from systems.serving.policy import FALL_CHECKS, RISE_CHECKS, Pool
from systems.serving.settings import Settings

NOW_S = 100.0
LATER_S = 1000.0
"""No ejection lasts until then."""

IN_TURN = Settings(strategy="round-robin", slow_start_ms=0, max_ejected=1)


def up(pool: Pool) -> list[str]:
    return [replica.name for replica in pool.status(LATER_S) if replica.up]


def take_down(pool: Pool, name: str) -> None:
    for _ in range(FALL_CHECKS):
        pool.check_failed(name, "no answer", NOW_S)


def bring_up(pool: Pool, name: str) -> None:
    for _ in range(RISE_CHECKS):
        pool.check_passed(name, LATER_S)


def test_takes_the_replicas_in_turn() -> None:
    pool = Pool(["r1", "r2", "r3"], IN_TURN)
    assert [pool.choose() for _ in range(7)] == ["r1", "r2", "r3", "r1", "r2", "r3", "r1"]


def test_leaves_out_what_is_down_and_takes_it_back() -> None:
    pool = Pool(["r1", "r2", "r3"], IN_TURN)
    take_down(pool, "r2")
    assert [pool.choose() for _ in range(4)] == ["r1", "r3", "r1", "r3"]
    bring_up(pool, "r2")
    assert {pool.choose() for _ in range(3)} == {"r1", "r2", "r3"}


def test_a_retry_goes_to_another_replica() -> None:
    pool = Pool(["r1", "r2", "r3"], IN_TURN)
    first = pool.choose()
    assert first is not None
    second = pool.choose([first])
    assert second is not None
    third = pool.choose([first, second])
    assert {first, second, third} == {"r1", "r2", "r3"}
    assert pool.choose(["r1", "r2", "r3"]) is None


def test_a_retry_goes_to_a_replica_that_failed_requests_took_down_where_no_other_is_left() -> None:
    pool = Pool(["r1", "r2", "r3"], IN_TURN)
    for _ in range(FALL_REQUESTS):
        pool.failed("r3", "timed out", NOW_S)
    assert up(pool) == ["r1", "r2"]
    assert pool.choose(["r1"]) == "r2"
    assert pool.choose(["r1", "r2"]) == "r3"
    assert pool.choose(["r1", "r2", "r3"]) is None


def test_a_retry_does_not_go_to_a_replica_whose_checks_fail() -> None:
    pool = Pool(["r1", "r2"], IN_TURN)
    take_down(pool, "r2")
    assert pool.choose(["r1"]) is None


def test_says_when_no_replica_is_up() -> None:
    pool = Pool(["r1", "r2"], IN_TURN)
    take_down(pool, "r1")
    take_down(pool, "r2")
    assert pool.choose() is None
    assert up(pool) == []


def test_failed_checks_must_follow_each_other() -> None:
    pool = Pool(["r1", "r2"], IN_TURN)
    for _ in range(FALL_CHECKS - 1):
        assert not pool.check_failed("r1", "no answer", NOW_S)
    pool.check_passed("r1", LATER_S)
    for _ in range(FALL_CHECKS - 1):
        assert not pool.check_failed("r1", "no answer", NOW_S)
    assert up(pool) == ["r1", "r2"]
    assert pool.check_failed("r1", "no answer", NOW_S)
    assert up(pool) == ["r2"]


def test_good_checks_must_follow_each_other() -> None:
    pool = Pool(["r1", "r2"], IN_TURN)
    take_down(pool, "r1")
    for _ in range(RISE_CHECKS - 1):
        assert not pool.check_passed("r1", LATER_S)
    pool.check_failed("r1", "no answer", NOW_S)
    for _ in range(RISE_CHECKS - 1):
        assert not pool.check_passed("r1", LATER_S)
    assert up(pool) == ["r2"]
    assert pool.check_passed("r1", LATER_S)
    assert up(pool) == ["r1", "r2"]


def test_failed_requests_take_a_replica_down_before_the_checks_do() -> None:
    pool = Pool(["r1", "r2"], IN_TURN)
    went_down = [pool.failed("r1", "broken", NOW_S) for _ in range(FALL_REQUESTS)]
    assert went_down == [False] * (FALL_REQUESTS - 1) + [True]
    assert not pool.failed("r1", "broken", NOW_S)  # what was still under way: it is down already


def test_an_answer_between_failures_counts() -> None:
    pool = Pool(["r1", "r2"], IN_TURN)
    for _ in range(10 * FALL_REQUESTS):
        assert not pool.failed("r1", "broken", NOW_S)
        pool.answered("r1", NOW_S)
    assert up(pool) == ["r1", "r2"]


def test_failed_requests_alone_leave_the_last_replica_up() -> None:
    pool = Pool(["r1", "r2", "r3"], IN_TURN)
    for name in ("r1", "r2", "r3"):
        for _ in range(10):
            pool.failed(name, "timed out", NOW_S)
    assert up(pool) == ["r3"]
    take_down(pool, "r3")
    assert up(pool) == []


def test_failed_requests_alone_leave_a_share_up_even_where_an_ejection_is_over_and_its_replica_not_back() -> None:
    """As when everything is slow for a moment, so that no check ends either."""
    pool = Pool(["r1", "r2", "r3"], Settings(max_ejected=0.5))
    for _ in range(FALL_REQUESTS):
        pool.failed("r1", "timed out", NOW_S)
    assert up(pool) == ["r2", "r3"]
    for _ in range(FALL_REQUESTS):
        pool.failed("r2", "timed out", LATER_S)
    assert up(pool) == ["r2", "r3"]
    pool.check_failed("r1", "no answer", LATER_S)  # now it is not down because of failed requests alone
    pool.failed("r2", "timed out", LATER_S)
    assert up(pool) == ["r3"]


def test_a_late_answer_does_not_bring_a_replica_up() -> None:
    pool = Pool(["r1", "r2"], IN_TURN)
    take_down(pool, "r1")
    pool.answered("r1", NOW_S)
    assert up(pool) == ["r2"]


def test_a_replica_that_came_up_is_given_the_same_chances_again() -> None:
    pool = Pool(["r1", "r2"], IN_TURN)
    for _ in range(FALL_REQUESTS):
        pool.failed("r1", "broken", NOW_S)
    bring_up(pool, "r1")
    assert not pool.failed("r1", "broken", NOW_S)
    assert up(pool) == ["r1", "r2"]


def test_status_counts() -> None:
    pool = Pool(["r1", "r2"], IN_TURN)
    pool.answered("r1", NOW_S)
    pool.answered("r1", NOW_S)
    pool.failed("r2", "timed out", NOW_S)
    first, second = pool.status(NOW_S)
    assert (first.name, first.answered, first.failed, first.last_failure) == ("r1", 2, 0, "")
    assert (second.name, second.answered, second.failed, second.last_failure) == ("r2", 0, 1, "timed out")


NAMES = ["r1", "r2", "r3", "r4"]
EVENTS = st.lists(
    st.tuples(st.sampled_from(["answered", "failed", "check_passed", "check_failed", "choose"]), st.sampled_from(NAMES)),
    max_size=200,
)


@given(EVENTS, st.sets(st.sampled_from(NAMES)))
def test_whatever_happens(events: list[tuple[str, str]], tried: set[str]) -> None:
    """Only checks bring replicas up or empty the pool; a choice is untried, and up where one that is up is left."""
    failing: set[str] = set()
    pool = Pool(NAMES, IN_TURN)
    for event, name in events:
        before = up(pool)
        if event == "check_failed":
            failing.add(name)
        elif event == "check_passed":
            failing.discard(name)
        match event:
            case "answered":
                pool.answered(name, NOW_S)
                assert up(pool) == before
            case "failed":
                changed = pool.failed(name, "broken", NOW_S)
                assert changed == (up(pool) != before)
                assert set(up(pool)) <= set(before)
                assert up(pool) or not before
            case "check_passed":
                assert pool.check_passed(name, LATER_S) == (up(pool) != before)
                assert set(before) <= set(up(pool))
            case "check_failed":
                assert pool.check_failed(name, "no answer", NOW_S) == (up(pool) != before)
                assert set(up(pool)) <= set(before)
            case "choose":
                pool.choose()
    untried = set(NAMES) - tried
    candidates = untried & set(up(pool)) or (untried - failing if tried else set())
    choice = pool.choose(tried)
    assert choice in candidates if candidates else choice is None
    for name in NAMES:
        bring_up(pool, name)
    assert up(pool) == NAMES


@given(EVENTS)
def test_every_replica_that_is_up_gets_its_share(events: list[tuple[str, str]]) -> None:
    """After any past, as many choices as there are replicas up name each of them once."""
    pool = Pool(NAMES, IN_TURN)
    for event, name in events:
        if event == "check_failed":
            pool.check_failed(name, "no answer", NOW_S)
        elif event == "check_passed":
            pool.check_passed(name, LATER_S)
        elif event == "choose":
            pool.choose([name])
    assert sorted(pool.choose() or "" for _ in up(pool)) == up(pool)
