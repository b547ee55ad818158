"""Limits on outstanding requests that a balancer may have, by what its replicas have answered, and limits that it may not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from systems.serving.admission import FEW, LEAST, Admission
from systems.serving.admission_rules import AdmissionRules

LOOK_S = 0.01
OVERLOAD_S = 0.1


class Balancer:
    """A balancer's admission control, looked at now and then while replicas answer."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self._rules = AdmissionRules()
        self._now_s, self._ended = 100.0, 0

    def answers(self, requests: int, after_s: float = LOOK_S) -> None:
        """A replica answers these requests, at once."""
        self._now_s += after_s
        self._ended += requests
        self.admission.answered(0.01, self._now_s, requests)

    def look(self) -> str | None:
        return next(self._rules.look(self._now_s, self.admission, self._ended, OVERLOAD_S), None)


def limited_to(limit: int) -> Balancer:
    admission = Admission(OVERLOAD_S)
    admission._most_by_pace = limit
    return Balancer(admission)


@given(st.lists(st.tuples(st.integers(0, 3000), st.floats(0, 0.3), st.booleans()), max_size=100))
def test_admission_control_keeps_the_rules_whatever_its_replicas_answer_and_whenever_it_is_looked_at(
    answers: list[tuple[int, float, bool]],
) -> None:
    balancer = Balancer(Admission(OVERLOAD_S))
    for requests, after_s, looked_at in answers:
        balancer.answers(requests, after_s)
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
    rules = AdmissionRules()
    assert list(rules.look(100.0, Admission(None), 10_000, None)) == []
