"""Answers with nothing while there is something."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest

from harness.checkers.no_false_empties import no_false_empties
from harness.run import catalog
from tests.helpers.fuzz import FEW, MANY, Effort, Op, agrees
from tests.helpers.transcript import history

PAIRS: dict[str, tuple[str, str]] = {
    "a follower that has yet to hear of a message": (
        "c1 send q a 0..10 ok\nc2 receive q null 10..30 ok\nc2 receive q a 40..50 ok",
        "c1 send q a 0..10 ok\nc2 receive q null 11..30 ok\nc2 receive q a 40..50 ok",
    ),
    "a message that came later because it was taken later": (
        "c1 send q a 0..10 ok\nc2 poll q [] 20..30 ok\nc3 receive q a 30..50 ok",
        "c1 send q a 0..10 ok\nc2 poll q [] 20..30 ok\nc3 receive q a 31..50 ok",
    ),
    "one message after another, without a moment between them": (
        "c1 send q a 0..9 ok\nc1 send q b 0..30 ok\nc2 poll q [] 20..40 ok\nc3 receive q a 30..50 ok\nc3 receive q b 60..70 ok",
        "c1 send q a 0..9 ok\nc1 send q b 0..29 ok\nc2 poll q [] 20..40 ok\nc3 receive q a 30..50 ok\nc3 receive q b 60..70 ok",
    ),
    "a message that a consumer may have taken and not got": (
        "c1 send q a 5..9 ok\nc2 receive q null 0..5 failed\nc3 receive q null 30..40 ok\nc3 receive q a 50..60 ok",
        "c1 send q a 5..9 ok\nc2 receive q null 0..4 failed\nc3 receive q null 30..40 ok\nc3 receive q a 50..60 ok",
    ),
    "a message that another subscription has had": (
        "c1 send t a 0..9 ok\nc2 receive t/1 a 20..30 ok\nc3 receive t/1 null 35..40 ok\nc4 receive t/2 a 50..60 ok",
        "c1 send t a 0..9 ok\nc2 receive t/1 a 20..30 ok\nc3 receive t/2 null 35..40 ok\nc4 receive t/2 a 50..60 ok",
    ),
}


@pytest.mark.parametrize(("good", "bad"), PAIRS.values(), ids=PAIRS.keys())
def test_anomalies_and_their_good_twins(good: str, bad: str) -> None:
    assert no_false_empties(history(good)).valid is True
    verdict = no_false_empties(history(bad))
    assert verdict.valid is False
    assert verdict.ops


def test_what_is_told() -> None:
    verdict = no_false_empties(history(PAIRS["a follower that has yet to hear of a message"][1]))
    assert verdict.why == (
        "1 answer with nothing although something was due: client 2's receive from q (op 1) found nothing, and a was"
        " acknowledged before (op 0), and received later (op 2)"
    )
    assert verdict.ops == (0, 1, 2)


@pytest.mark.parametrize(
    ("transcript", "why"),
    [
        ("c1 send q a 0..10 ok\nc2 receive q a 20..30 ok", "no receive or poll was answered with nothing"),
        ("c2 poll q a 10..30 ok", "not a JSON array"),
    ],
)
def test_what_cannot_be_told(transcript: str, why: str) -> None:
    verdict = no_false_empties(history(transcript))
    assert verdict.valid is None
    assert why in verdict.why


def test_no_queue_is_held_to_it_unless_that_is_asked_for() -> None:
    assert no_false_empties not in catalog.checkers_for(history(PAIRS["a message that another subscription has had"][1]))


# ------------------------------------------------------------------------------------------------- random histories


def random_empties(random: Random) -> list[Op]:
    """Messages that come to one or two subscriptions, and calls that bring nothing."""
    messages = random.sample("abcdef", random.randint(1, 4)) + ["a"] * (random.random() < 0.1)
    ops: list[Op] = []
    for at, message in enumerate(messages):
        sent, result = random.randint(0, 8), random.choice(["ok"] * 4 + ["unknown", "failed"])
        ops.append(Op(at, "send", "t", message, sent, sent + random.randint(0, 2), result))
    for number, name in enumerate(random.choice([["t"], ["t/1", "t/2"]])):
        values = [message for message in messages if random.random() < 0.9] + [None] * random.randint(0, 3)
        for at, value in enumerate(values):
            sent, result = random.randint(2, 14), random.choice(["ok"] * 12 + ["unknown", "failed"])
            told = None if result == "failed" else value
            ops.append(Op(10 + 20 * number + at, "receive", name, told, sent, sent + random.randint(0, 4), result))
    return ops


def empty_when_told(ops: list[Op]) -> bool | None:
    """Whether each call that brought nothing has a moment at which nothing was certainly due."""
    sends = [op for op in ops if op.kind == "send" and op.outcome != "failed"]
    receives = [op for op in ops if op.kind == "receive"]
    empties = [op for op in receives if op.ok and op.value is None]
    due: dict[str, list[tuple[float, float]]] = {op.key: [] for op in receives}
    for name, send in product(due, sends):
        own = [op for op in receives if op.key == name]
        first = [op.sent for op in own if op.outcome != "failed" and op.value == send.value]
        kept = [op.sent for op in own if op.outcome == "unknown" or (op.outcome == "failed" and op.done >= send.sent)]
        if first and [other.value for other in sends].count(send.value) == 1:
            due[name].append((send.end, min(first + kept)))
    for empty in empties:
        moments = [half / 2 for half in range(2 * empty.sent, 2 * empty.done + 1)]
        if all(any(begin < moment < end for begin, end in due[empty.key]) for moment in moments):
            return False
    return True if empties else None


@pytest.mark.parametrize("effort", [FEW, pytest.param(MANY, marks=pytest.mark.nightly)], ids=["some", "many"])
def test_agrees_with_the_definition(effort: Effort) -> None:
    agrees(no_false_empties, random_empties, empty_when_told, effort)
