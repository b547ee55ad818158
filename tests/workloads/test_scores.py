"""Scores: which answers are right, with and without a fallback."""

from __future__ import annotations

from itertools import islice
from random import Random

import msgspec
import pytest

from systems.featured.client import EXACT, Score
from workloads.scores import Scores, exact


def right(expected: str | None) -> list[Score]:
    return msgspec.json.decode(expected or "[]", type=list[Score])


def test_the_average_is_right_where_a_fall_back_will_do() -> None:
    for call in islice(Scores(users=5).calls(Random(1)), 50):
        best, fallback = right(call.expected)
        assert (call.kind, best, fallback.source) == ("score", exact(call.key), "fallback")


@pytest.mark.parametrize("workload", [Scores(users=5, exact=True)])
def test_only_the_exact_score_is_right_where_that_is_asked_for(workload: Scores) -> None:
    for call in [*islice(workload.calls(Random(1)), 50), *workload.final_calls()]:
        assert (call.kind, right(call.expected)) == (EXACT, [exact(call.key)])


def test_final_calls_always_want_the_exact_score() -> None:
    assert [right(call.expected) for call in Scores(users=5).final_calls()] == [[exact(f"u{number}")] for number in range(5)]
