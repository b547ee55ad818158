"""A load without a single successful call is never judged, and the verdict says why."""

from __future__ import annotations

import pytest

from harness.checkers.calls_done import calls_done
from harness.model.reasons import MAX_REASONS, reasons
from tests.helpers.transcript import history


def test_one_done_call_is_enough() -> None:
    verdict = calls_done(history("c1 read x 1 0..10 ok\nc1 read x null 20..30 failed"))
    assert (verdict.valid, verdict.why) == (True, "1 of 2 calls")


def test_done_final_calls_do_not_count() -> None:
    verdict = calls_done(history("c1 read x null 0..10 failed\nc1 read x 1 90..95 ok final"))
    assert (verdict.valid, verdict.ops) == (None, (0,))


def test_the_most_frequent_reasons_are_named_first() -> None:
    ops = history("\n".join(f"c1 read x null {at}..{at + 1} failed" for at in range(0, 20, 2))).ops
    ops["error"] = ["rare", *["KeyError: 'x' (client.py, line 3)"] * 6, "a", None, "b"]
    found = reasons(ops)
    assert [(reason.error, reason.calls, reason.example) for reason in found[:2]] == [
        ("KeyError: 'x' (client.py, line 3)", 6, 1),
        ("rare", 1, 0),
    ]
    assert "no reason was recorded" in [reason.error for reason in found]
    ops["error"] = [f"reason {number}" for number in range(len(ops))]
    assert len(reasons(ops)) == len(ops)


@pytest.mark.parametrize("more", [1, 2])
def test_rare_reasons_are_counted_together(more: int) -> None:
    many = MAX_REASONS + more
    ops = history("\n".join(f"c1 read x null {at}..{at + 1} failed" for at in range(0, 2 * many, 2))).ops
    ops["error"] = [f"reason {number}" for number in range(many)]
    found = reasons(ops)
    assert (len(found), sum(reason.calls for reason in found)) == (MAX_REASONS + 1, many)
    assert found[-1].error == ("1 other reason" if more == 1 else "2 other reasons")
