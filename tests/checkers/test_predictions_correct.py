"""Right, wrong and unreadable answers of a model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.checkers.predictions_correct import predictions_correct
from tests.helpers.transcript import history

SEVEN = '{"label":7,"score":0.9981}'
ONE = '{"label":1,"score":0.9981}'


def predict(value: str, expected: str | None = SEVEN, outcome: str = "ok", node: str = "r1", at_ms: int = 0) -> str:
    known = "" if expected is None else f"expected={expected}"
    return f"c1 predict digit-{at_ms} {value} {at_ms}..{at_ms + 5} {outcome} node={node} {known}\n"


@pytest.mark.parametrize(
    "answer",
    [
        SEVEN,
        '{"score":0.9981,"label":7}',
        '{"label":7,"score":0.9985}',
        '{"label":7,"score":0.9972}',
        '{"label":7,"score":0.9981,"model":"v1"}',
    ],
)
def test_accepts(answer: str) -> None:
    verdict = predictions_correct(history(predict(answer)))
    assert (verdict.valid, verdict.why) == (True, "all 1 answered prediction match the model's own answers")


@pytest.mark.parametrize(
    "answer",
    [
        ONE,
        '{"label":7,"score":0.9960}',
        '{"label":7,"score":0.9999}',
        '{"label":7}',
        '{"label":"7","score":0.9981}',
        '{"label":7,"score":null}',
        '{"label":7,"score":1e999}',
        '{"label":7,"score":NaN}',
        "{",
        "7",
        "[]",
        "null",
        pytest.param('{"label":7,"score":0.9981,"model":' + "[" * 100_000 + "]" * 100_000 + "}", id="nested too deeply"),
    ],
)
def test_rejects(answer: str) -> None:
    verdict = predictions_correct(history(predict(SEVEN) + predict(answer)))
    assert (verdict.valid, verdict.ops) == (False, (1,))


VERSIONS = '{"old":{"label":7,"score":0.9981},"new":{"label":1,"score":0.9981}}'


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ('{"label":7,"score":0.9981,"model":"old"}', True),
        ('{"label":1,"score":0.9981,"model":"new"}', True),
        ('{"label":7,"score":0.9981,"model":"new"}', False),
        ('{"label":7,"score":0.9981,"model":"other"}', False),
        ('{"label":7,"score":0.9981,"model":["old"]}', False),
        (SEVEN, False),
    ],
)
def test_an_answer_is_right_for_the_version_that_it_names(answer: str, right: bool) -> None:
    assert predictions_correct(history(predict(answer, expected=VERSIONS))).valid is right


def test_says_how_many_from_where_and_since_when() -> None:
    lines = [predict(SEVEN, at_ms=at_ms) for at_ms in range(0, 1000, 100)]
    lines += [predict(ONE, node="r2", at_ms=at_ms) for at_ms in (1000, 1100)] + [predict(ONE, node="r3", at_ms=1200)]
    verdict = predictions_correct(history("".join(lines)))
    assert verdict.valid is False
    assert verdict.ops == (10, 11, 12)
    assert verdict.why == (
        "3 of 13 answered predictions wrong, from r2 (2), r3 (1), since 1.005 s:"
        f" op 10 asked about digit-1000 and got {ONE} instead of {SEVEN}"
    )


def test_shows_only_the_first_wrong_answers() -> None:
    verdict = predictions_correct(history("".join(predict(ONE, at_ms=at_ms) for at_ms in range(100))))
    assert verdict.ops == tuple(range(10))
    assert verdict.why.startswith("100 of 100 answered predictions wrong, from r1 (100), since 0.005 s")


def test_unanswered_predictions_are_not_wrong() -> None:
    asked = predict("null", outcome="failed") + predict("null", outcome="unknown") + predict(ONE, outcome="unknown")
    assert predictions_correct(history(asked + predict(SEVEN))).valid is True
    verdict = predictions_correct(history(asked))
    assert (verdict.valid, verdict.why) == (None, "no prediction was answered")


def test_other_calls_are_not_predictions() -> None:
    assert predictions_correct(history("c1 read x 1 0..1 ok")).valid is None
    assert predictions_correct(history("c1 read x 1 0..1 ok\n" + predict(SEVEN))).valid is True


def test_nothing_at_all() -> None:
    assert predictions_correct(history("")).valid is None


@pytest.mark.parametrize("expected", [None, "{"])
def test_an_answer_without_a_right_one_cannot_be_judged(expected: str | None) -> None:
    asked = predict(SEVEN) + predict(SEVEN, expected=expected)
    verdict = predictions_correct(history(asked))
    assert (verdict.valid, verdict.ops) == (None, (1,))
    assert verdict.why == "1 of 2 answered predictions came without a right answer to compare with"
    worse = predictions_correct(history(asked + predict(ONE)))
    assert (worse.valid, worse.ops) == (False, (2,))
    assert worse.why.startswith("1 of 2 answered predictions wrong")


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30))
def test_answers_are_judged_one_by_one(answers: list[tuple[int, int]]) -> None:
    """Repeated texts are decoded once; answers must still belong to their requests."""
    text = '{{"label":{},"score":0.5}}'
    verdict = predictions_correct(history("".join(predict(text.format(got), text.format(right)) for got, right in answers)))
    wrong = [row for row, (got, right) in enumerate(answers) if got != right]
    assert (verdict.valid, verdict.ops) == (not wrong, tuple(wrong[:10]))
