"""Answers compared with those that the workload expected, whatever the kind of call."""

from __future__ import annotations

import pytest

from harness.checkers.answers_expected import answers_expected, applies
from harness.model.history import History
from tests.helpers.transcript import history

PREDICTION = '{"label": 7, "score": 0.5}'
BY_VERSION = '{"v1": {"label": 7, "score": 0.5}, "v2": {"label": 8, "score": 0.5}}'


def asked(value: str | None, expected: str | None, outcome: str = "ok", kind: str = "get") -> History:
    """One call and its answer."""
    row = {
        "client": 1,
        "kind": kind,
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


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        ("[1, 2.0]", "[2, 1]", "[1, 2]"),
        ("2", "3", "[1, 2]"),
        ("a b", "a", '["a b"]'),
        ('"a b"', '["a b", "c"]', '["a b", "d"]'),
        ("[]", "0", "[]"),
        ('{"score": 0.5004, "label": 7}', '{"score": 0.5, "label": 8}', PREDICTION),
        ('{"score": 0.5, "label": 8, "model": "v2"}', '{"score": 0.5, "label": 8, "model": "v1"}', BY_VERSION),
        (BY_VERSION, "x", BY_VERSION),
    ],
)
def test_an_answer_is_wrong_if_it_is_in_every_meaning_that_the_expected_one_can_have(
    right: str, wrong: str, expected: str
) -> None:
    assert answers_expected(asked(right, expected)).valid is True
    assert answers_expected(asked(wrong, expected)).valid is False


@pytest.mark.parametrize(
    ("expected", "kind", "others_do"),
    [
        ("[1,2]", "get", True),
        (PREDICTION, "predict", True),
        (BY_VERSION, "predict", True),
        (None, "get", True),
        ("[1]", "get", False),
        ("[]", "get", False),
        (PREDICTION, "get", False),
        ("7", "predict", False),
    ],
)
def test_it_applies_by_itself_to_calls_that_no_check_of_their_own_form_judges(
    expected: str | None, kind: str, others_do: bool
) -> None:
    assert applies(asked("x", expected, kind=kind)) is not others_do
