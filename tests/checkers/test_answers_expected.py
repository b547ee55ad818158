"""Answers compared with those that the workload expected, whatever the kind of call."""

from __future__ import annotations

import pytest

from harness.checkers.answers_expected import answers_expected, left_by
from harness.checkers.corruption_contained import corruption_contained
from harness.checkers.linearizable import linearizable
from harness.checkers.nodes_stayed_up import nodes_stayed_up
from harness.checkers.one_of_the_right import one_of_the_right
from harness.checkers.one_version_each import one_version_each
from harness.checkers.predictions_correct import predictions_correct
from harness.checkers.version_kept import version_kept
from harness.model.history import History
from harness.model.verdict import Checker
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
    ("value", "expected"),
    [
        ("200", "200"), ("a b", "a b"), ("1.0", "1"), ('{"b": 2, "a": 1}', '{"a":1,"b":2}'),
        (None, "null"), (None, '[null,"a"]'), ("a", '[null,"a"]'),
    ],
)  # fmt: skip
def test_the_expected_answer_is_right(value: str | None, expected: str) -> None:
    assert answers_expected(asked(value, expected)).valid is True


@pytest.mark.parametrize(
    ("value", "expected"), [("404", "200"), (None, "200"), (None, '["a"]'), ("", "a"), ("true", "1"), ("A", "a"), ("null", "0")]
)
def test_any_other_answer_is_wrong(value: str | None, expected: str) -> None:
    verdict = answers_expected(asked(value, expected))
    assert (verdict.valid, verdict.ops) == (False, (0,))
    got = {None: "nothing", "": '""'}.get(value, value)
    assert f"asked about / and got {got} instead of {expected}" in verdict.why


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


def left_of(checker: Checker) -> set[str]:
    """Which of these calls a check leaves to be compared, by their keys."""
    rows: list[dict[str, object]] = [
        {"kind": "get", "key": "unknown", "expected": None},
        {"kind": "get", "key": "text", "expected": "7"},
        {"kind": "get", "key": "list", "expected": "[1,2]"},
        {"kind": "get", "key": "empty list", "expected": "[]"},
        {"kind": "get", "key": "prediction of another kind", "expected": PREDICTION},
        {"kind": "predict", "key": "prediction", "expected": PREDICTION},
        {"kind": "predict", "key": "by version", "expected": BY_VERSION},
        {"kind": "predict", "key": "no prediction", "expected": "7"},
    ]
    common: dict[str, object] = {"client": 1, "value": "x", "outcome": "ok", "sent_ns": 0, "done_ns": 1}
    ops = History.of([common | row for row in rows]).ops
    return set(ops["key"][left_by([checker], ops)])


ALL = {"text", "list", "empty list", "prediction of another kind", "prediction", "by version", "no prediction"}


@pytest.mark.parametrize(
    ("checker", "compared"),
    [
        (nodes_stayed_up, set()),
        (linearizable, set()),
        (version_kept, set()),
        (one_of_the_right, {"list"}),
        (predictions_correct, {"prediction", "by version"}),
        (corruption_contained, {"prediction", "by version"}),
        (one_version_each, {"by version"}),
        (answers_expected, ALL),
    ],
)
def test_it_is_left_the_answers_that_another_check_does_not_compare(checker: Checker, compared: set[str]) -> None:
    assert left_of(checker) == ALL - compared
