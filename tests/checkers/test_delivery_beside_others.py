"""Calls of unknown kinds beside messages: their topic is undecided, and no other one is."""

from __future__ import annotations

import pytest

from harness.checkers.at_least_once import at_least_once
from harness.checkers.no_duplicates import no_duplicates
from harness.checkers.no_lost_messages import no_lost_messages
from harness.checkers.per_key_order import per_key_order
from harness.checkers.total_order import total_order
from harness.model.verdict import Checker
from tests.helpers.transcript import history

OTHERS: dict[str, tuple[Checker, str, str]] = {
    "a message that was taken otherwise": (
        no_lost_messages,
        'c1 send q a 0..1 ok\nc3 drain q ["a"] 2..3 ok\nc2 receive q null 4..5 ok',
        "c1 send r a 0..1 ok\nc2 receive r null 4..5 ok",
    ),
    "a message that was sent otherwise": (
        no_duplicates,
        "c1 send q b 0..1 failed\nc3 send_all q a 0..1 ok\nc2 receive q a 4..5 ok",
        "c2 receive r a 4..5 ok",
    ),
    "an acked message that was sent otherwise": (
        at_least_once,
        "c1 send q b 0..1 ok\nc3 send_all q/k a 0..1 unknown\nc2 receive q a 4..5 ok\nc2 ack q a 6..7 ok",
        "c2 receive r a 4..5 ok",
    ),
    "messages that were put back": (
        per_key_order,
        "c1 send q a 0..1 ok\nc1 send q b 2..3 ok\nc3 requeue q a 4..9 ok\nc2 receive q b 4..5 ok\nc2 receive q a 6..7 ok",
        "c1 send r a 0..1 ok\nc1 send r b 2..3 ok\nc2 receive r b 4..5 ok\nc2 receive r a 6..7 ok",
    ),
    "messages that were put back for one subscription": (
        total_order,
        'c3 requeue q/1 a 0..5 ok\nc1 poll q/1 ["b","a"] 6..9 ok\nc2 poll q/2 ["a","b"] 6..9 ok',
        'c1 poll r/1 ["b","a"] 6..9 ok\nc2 poll r/2 ["a","b"] 6..9 ok',
    ),
}


@pytest.mark.parametrize(("checker", "mixed", "wrong"), OTHERS.values(), ids=OTHERS.keys())
def test_calls_that_no_check_knows_leave_their_topic_undecided_and_no_other(checker: Checker, mixed: str, wrong: str) -> None:
    verdict = checker(history(mixed))
    assert verdict.valid is None
    assert "did to 1 key is not known here: q" in verdict.why
    assert checker(history("\n".join(line for line in mixed.splitlines() if "c3" not in line))).valid is False
    assert checker(history(f"{mixed}\n{wrong}")).valid is False
