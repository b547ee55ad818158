"""Answers with several right values, wrong answers, and last calls that got no answer."""

from __future__ import annotations

import pytest

from harness.checkers.one_of_the_right import applies, one_of_the_right
from harness.model.history import History

RIGHT = '[{"score":0.5,"source":"features"},{"score":0.1,"source":"fallback"}]'
BEST = '{"score":0.5,"source":"features"}'
FALLBACK = '{"source": "fallback", "score": 0.10}'
FINAL = '[{"score":0.5,"source":"features"}]'


def history(*ops: tuple[str, str, str, str | None], expected: str = RIGHT) -> History:
    """`ops`: phase, key, outcome, value."""
    return History.of(
        [
            {
                "phase": phase, "client": number, "kind": "score", "key": key, "outcome": outcome, "value": value,
                "expected": FINAL if phase == "final" else expected, "sent_ns": number, "done_ns": number + 1,
            }
            for number, (phase, key, outcome, value) in enumerate(ops)
        ]
    )  # fmt: skip


def test_the_best_answer_and_what_it_falls_back_on_are_right() -> None:
    verdict = one_of_the_right(history(("load", "u1", "ok", BEST), ("load", "u1", "ok", FALLBACK)))
    assert verdict.valid is True
    assert "1 the best, 1 fallen back" in verdict.why


@pytest.mark.parametrize(
    "value", ['{"score":0.1,"source":"features"}', '{"score":0.5}', "not JSON", "null", '[{"score":0.5,"source":"features"}]']
)
def test_any_other_answer_is_wrong(value: str) -> None:
    verdict = one_of_the_right(history(("load", "u1", "ok", BEST), ("load", "u2", "ok", value)))
    assert verdict.valid is False
    assert verdict.ops == (1,)
    assert "u2" in verdict.why


def test_nothing_may_be_one_of_the_right_answers() -> None:
    missed = history(("load", "u1", "ok", None), ("load", "u1", "ok", '"a"'), expected='["a", null]')
    verdict = one_of_the_right(missed)
    assert verdict.valid is True
    assert "1 the best, 1 fallen back" in verdict.why
    assert one_of_the_right(history(("load", "u1", "ok", None))).valid is False


def test_a_final_call_may_not_fall_back() -> None:
    assert one_of_the_right(history(("load", "u1", "ok", FALLBACK), ("final", "u1", "ok", FALLBACK))).valid is False


def test_a_final_call_is_asked_again_until_it_is_answered() -> None:
    assert one_of_the_right(history(("final", "u1", "failed", None), ("final", "u1", "ok", BEST))).valid is True


def test_a_final_call_that_is_never_answered_is_wrong() -> None:
    unanswered = [("final", "u2", "failed", None)] * 2
    verdict = one_of_the_right(history(("load", "u2", "ok", BEST), ("final", "u1", "ok", BEST), *unanswered))
    assert verdict.valid is False
    assert verdict.why.startswith("1 final call not answered")
    assert verdict.ops == (3,)


@pytest.mark.parametrize("expected", ["null", "7", "{}", "[]", "broken"])
def test_nothing_is_said_where_right_answers_are_not_listed(expected: str) -> None:
    recorded = history(("load", "u1", "ok", BEST), expected=expected)
    assert one_of_the_right(recorded).valid is None
    assert not applies(recorded)


def test_calls_that_were_not_answered_are_not_wrong() -> None:
    assert one_of_the_right(history(("load", "u1", "failed", None), ("load", "u1", "unknown", None))).valid is None
    assert applies(history(("load", "u1", "failed", None)))
