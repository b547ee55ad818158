"""Receives without an answer: what they brought comes again if messages are acked, unless it was acked itself."""

from __future__ import annotations

import pytest

from harness.checkers.at_least_once import at_least_once
from harness.checkers.no_lost_messages import no_lost_messages
from harness.checkers.per_key_order import per_key_order
from harness.checkers.total_order import total_order
from tests.helpers.transcript import history

SENT = "c1 send t/k a 0..9 ok\nc1 send t/k b 10..19 ok\nc1 send t/k c 20..29 ok\n"


def test_a_message_that_came_again_may_have_come_before_without_an_answer() -> None:
    calls = "c2 receive t null 30..39 unknown\nc3 receive t b 40..49 ok\nc3 ack t b 50..59 ok\nc3 receive t a 60..69 ok"
    verdict = per_key_order(history(SENT + calls))
    assert verdict.valid is None
    assert verdict.why == "1 message out of order may have come before to receives that brought no answer, such as a (op 6)"


def test_a_receive_brings_one_message() -> None:
    calls = "c2 receive t null 30..39 unknown\nc3 receive t c 40..49 ok\nc3 ack t c 50..59 ok\nc3 receive t b 60..69 ok\n"
    assert per_key_order(history(SENT + calls + "c3 receive t a 70..79 ok")).valid is False
    assert (
        per_key_order(history(SENT + (calls + "c3 receive t a 70..79 ok").replace("receive t null", "poll t null"))).valid
        is None
    )


def test_where_nothing_is_acked_nothing_comes_again() -> None:
    assert per_key_order(history(SENT + 'c2 receive t null 30..39 unknown\nc3 poll t ["b","a"] 40..49 ok')).valid is False


def test_a_message_that_was_acked_although_its_receive_had_no_answer_is_not_lost() -> None:
    calls = "c1 send q a 0..9 ok\nc2 receive q a 10..19 unknown\nc2 ack q {} 20..29 {}\nc2 receive q null 30..39 ok"
    for checker in (at_least_once, no_lost_messages):
        assert checker(history(calls.format("a", "ok"))).valid is True
        assert checker(history(calls.format("a", "unknown"))).valid is True
        assert checker(history(calls.format("a", "failed"))).valid is False
        assert checker(history(calls.format("b", "ok"))).valid is False


def test_subscriptions_disagree_only_if_what_came_again_cannot_have_come_before() -> None:
    calls = 'c3 poll t/2 ["a","b"] 0..9 ok\nc2 receive t/1 b 20..29 ok\nc2 ack t/1 b 30..39 ok\nc2 receive t/1 a 40..49 ok'
    assert total_order(history(calls)).valid is False
    silent = f"{calls}\nc4 receive t/1 null 0..9 unknown"
    assert total_order(history(silent)).valid is None
    assert total_order(history(f'{silent}\nc5 poll t/3 ["b","a"] 0..9 ok')).valid is False


@pytest.mark.parametrize("outcome", ["failed", "unknown"])
def test_what_is_kept_for_a_client_without_an_answer_in_the_end_may_still_come(outcome: str) -> None:
    calls = "c1 send q a 0..9 ok\nc3 receive q null 1..2 ok\nc3 ack q b 3..4 ok\nc2 receive q null 20..29 ok final\n"
    for checker in (at_least_once, no_lost_messages):
        verdict = checker(history(f"{calls}c3 receive q null 20..29 {outcome} final"))
        assert verdict.valid is None
        assert "may still come" in verdict.why
        answered = f"{calls}c3 receive q null 20..29 {outcome} final\nc3 receive q null 30..39 ok final"
        assert checker(history(answered)).valid is False
