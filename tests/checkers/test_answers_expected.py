"""Answers compared with those that the workload expected, whatever the kind of call."""

from __future__ import annotations

import pytest

from harness.checkers.answers_expected import answers_expected, applies
from harness.model.history import History
from tests.helpers.transcript import history


def asked(value: str | None, expected: str | None, outcome: str = "ok") -> History:
    """One call and its answer."""
    row = {
        "client": 1,
        "kind": "get",
        "key": "/",
        "value": value,
        "expected": expected,
        "outcome": outcome,
        "sent_ns": 0,
        "done_ns": 1,
    }
    return History.of([row])


@pytest.mark.parametrize(
    ("value", "expected"), [("200", "200"), ("a b", "a b"), ("1.0", "1"), ('{"b": 2, "a": 1}', '{"a":1,"b":2}')]
)
def test_the_expected_answer_is_right(value: str, expected: str) -> None:
    assert answers_expected(asked(value, expected)).valid is True


@pytest.mark.parametrize(
    ("value", "expected"), [("404", "200"), (None, "200"), ("", "a"), ("true", "1"), ("A", "a"), ("null", "0")]
)
def test_any_other_answer_is_wrong(value: str | None, expected: str) -> None:
    verdict = answers_expected(asked(value, expected))
    assert (verdict.valid, verdict.ops) == (False, (0,))
    assert f"asked about / and got {'nothing' if value is None else value} instead of {expected}" in verdict.why


def test_only_answered_calls_with_an_expected_answer_are_judged() -> None:
    verdict = answers_expected(
        history("c1 get / 404 0..1 failed expected=200\nc1 get / 404 2..3 unknown expected=200\nc1 get / 7 4..5 ok")
    )
    assert verdict.valid is None


@pytest.mark.parametrize("expected", ["[1,2]", '{"label":7,"score":0.5}', '{"v1":{"label":7,"score":0.5}}', None])
def test_right_answers_of_another_form_are_for_the_checks_of_that_form(expected: str | None) -> None:
    assert not applies(asked("x", expected))
    assert answers_expected(asked("x", expected)).valid is None
