"""Limits on outstanding requests that a balancer may have, by what its replicas have answered, and limits that it may not."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from systems.serving.admission import FEW, LEAST, Admission
from systems.serving.admission_rules import AdmissionRules
from systems.serving.exchanges import Tries

LOOK_S = 0.01
OVERLOAD_S = 0.1


class Balancer:
    """A balancer's admission control, looked at now and then while replicas answer."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self._rules = AdmissionRules()
        self.tries = Tries(OVERLOAD_S)
        self.admitted = self.outstanding = 0
        self._now_s, self._ended = 100.0, 0

    def answers(self, requests: int, after_s: float = LOOK_S, took_s: float = 0.01) -> None:
        """A replica answers these requests."""
        self._now_s += after_s
        self._ended += requests
        self.outstanding = max(0, self.outstanding - requests)
        self.tries.ended(took_s)
        self.admission.answered(took_s, self._now_s, requests)

    def asks(self, requests: int) -> None:
        admitted = self.admission.admit(self.outstanding, requests)
        self.admitted += admitted
        self.outstanding += admitted

    def look(self) -> str | None:
        return next(self._rules.look(self._now_s, self.admission, self._ended, self), None)


def limited_to(limit: int) -> Balancer:
    admission = Admission(OVERLOAD_S)
    admission._most_by_pace = limit
    return Balancer(admission)


@given(st.lists(st.tuples(st.integers(0, 3000), st.floats(0, 0.3), st.booleans(), st.booleans()), max_size=100))
def test_admission_control_keeps_the_rules_whatever_its_replicas_answer_and_whenever_it_is_looked_at(
    answers: list[tuple[int, float, bool, bool]],
) -> None:
    balancer = Balancer(Admission(OVERLOAD_S))
    for requests, after_s, late, looked_at in answers:
        balancer.answers(requests, after_s, took_s=0.2 if late else 0.02)
        if looked_at:
            assert balancer.look() is None
    assert balancer.look() is None


def test_a_few_are_let_in_at_any_pace() -> None:
    balancer = limited_to(FEW)
    balancer.answers(1)
    assert balancer.look() is None


def test_more_than_a_few_only_if_so_many_have_been_answered_in_time() -> None:
    balancer = limited_to(FEW + 1)
    balancer.answers(FEW + 1)
    assert balancer.look() is None
    balancer = limited_to(FEW + 1)
    balancer.answers(50)
    assert f"{FEW + 1} requests in at once, and the replicas have never answered more than" in (balancer.look() or "")


def test_a_pace_that_is_over_still_counts() -> None:
    balancer = limited_to(2 * FEW)
    balancer.answers(2 * FEW)
    assert balancer.look() is None
    for _ in range(100):
        balancer.answers(1)
        assert balancer.look() is None


def test_a_few_requests_are_always_let_in() -> None:
    balancer = limited_to(LEAST - 1)
    balancer.answers(1)
    assert "7 requests in at once, and 8 are the fewest" in (balancer.look() or "")


def test_without_a_limit_there_is_nothing_to_keep() -> None:
    balancer = Balancer(Admission(None))
    balancer.answers(10_000)
    assert balancer.look() is None


class Hasty(Admission):
    """Lowers the limit for one late answer among others."""

    def answered(self, latency_s: float, now_s: float, requests: int = 1) -> None:
        if latency_s > OVERLOAD_S:
            self._quickest_s = self._answers = LEAST
        super().answered(latency_s if self._quickest_s != LEAST else LEAST, now_s, requests)


class Stubborn(Admission):
    """Never lowers the limit."""

    def _adjust(self, overload_s: float) -> None:
        self._quickest_s = min(self._quickest_s, overload_s)
        super()._adjust(overload_s)


class Crushing(Admission):
    """Lowers the limit to the least at once."""

    def _adjust(self, overload_s: float) -> None:
        before = self._limit
        super()._adjust(overload_s)
        self._limit = LEAST if self._limit < before else self._limit


class Stuck(Admission):
    """Does not raise the limit again."""

    def _adjust(self, overload_s: float) -> None:
        before = self._limit
        super()._adjust(overload_s)
        self._limit = min(before, self._limit)


class Leaping(Admission):
    """Doubles the limit when it is reached."""

    def _adjust(self, overload_s: float) -> None:
        before = self._limit
        super()._adjust(overload_s)
        self._limit = 2 * before if self._limit > before else self._limit


class Optimistic(Admission):
    """Raises the limit whether or not it was reached."""

    def _adjust(self, overload_s: float) -> None:
        self._most_outstanding = max(self._most_outstanding, int(self._limit))
        super()._adjust(overload_s)


def run(kind: type[Admission], seed: int) -> str | None:
    """What is wrong at first with a limit in a random run of 20 s, looked at every few milliseconds; None if nothing is."""
    random, balancer = Random(seed), Balancer(kind(OVERLOAD_S))
    share, after_s, look_s = 0.0, 0.01, 0.0
    for _ in range(4000):
        if random.random() < 0.02:
            share, after_s = random.choice((0.0, 0.5, 0.95, 1.0)), random.choice((0.0, 0.002, 0.008, 0.05))
        balancer.asks(random.choice((1, 30, 60)))
        spent_s = random.uniform(0, 2 * after_s)
        balancer.answers(random.randint(0, 40), spent_s, took_s=0.2 if random.random() < share else 0.02)
        look_s += spent_s
        if look_s > LOOK_S:
            look_s = 0.0
            if (why := balancer.look()) is not None:
                return why
    return None


@pytest.mark.parametrize("seed", range(20))
def test_a_correct_limit_moves_as_it_should(seed: int) -> None:
    assert run(Admission, seed) is None


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (Hasty, "of the last tries were in time"),
        (Stubborn, "requests in at once, and the last"),
        (Crushing, "requests are outstanding"),
        (Stuck, "tries were in time"),
        (Leaping, "it raises its limit from"),
        (Optimistic, "requests were outstanding"),
    ],
)
def test_a_limit_that_moves_otherwise_is_found(kind: type[Admission], told: str) -> None:
    found = [why for seed in range(20) if (why := run(kind, seed)) is not None]
    assert len(found) >= 10
    assert any(told in why for why in found)
