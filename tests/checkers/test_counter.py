"""Counters that show what was added to them, and counters that do not."""

from __future__ import annotations

from itertools import chain, combinations
from random import Random

import pytest

from harness.checkers.counter import counter
from tests.helpers.fuzz import FEW, MANY, Op, agrees, outcome, spans
from tests.helpers.transcript import history

PAIRS = {
    "a lost update": (
        "c1 increment x 1 0..10 ok\nc2 increment x 1 0..10 ok\nc1 read x 2 20..30 ok",
        "c1 increment x 1 0..10 ok\nc2 increment x 1 0..10 ok\nc1 read x 1 20..30 ok",
    ),
    "an increment that was counted twice after a retry": (
        "c1 increment x 5 0..10 unknown\nc1 read x 5 20..30 ok",
        "c1 increment x 5 0..10 unknown\nc1 read x 10 20..30 ok",
    ),
    "a failed increment that counts": (
        "c1 increment x 5 0..10 failed\nc1 read x 0 20..30 ok",
        "c1 increment x 5 0..10 failed\nc1 read x 5 20..30 ok",
    ),
    "a stale read": (
        "c1 increment x null 0..10 ok\nc2 read x 0 10..30 ok",
        "c1 increment x null 0..10 ok\nc2 read x 0 11..30 ok",
    ),
    "an increment that is seen before it was sent": (
        "c1 read x 1 0..10 ok\nc2 increment x 1 10..20 ok",
        "c1 read x 1 0..10 ok\nc2 increment x 1 11..20 ok",
    ),
    "below zero": (
        "c1 increment x 1 0..10 ok\nc2 decrement x 1 20..30 unknown\nc1 read x 0 40..50 ok",
        "c1 increment x 1 0..10 ok\nc2 decrement x 1 20..30 unknown\nc1 read x -1 40..50 ok",
    ),
}


@pytest.mark.parametrize(("good", "bad"), PAIRS.values(), ids=PAIRS.keys())
def test_anomalies_and_their_good_twins(good: str, bad: str) -> None:
    assert counter(history(good)).valid is True
    verdict = counter(history(bad))
    assert verdict.valid is False
    assert verdict.ops


def test_what_is_no_number_is_unknown_and_named() -> None:
    verdict = counter(history("c1 increment x 1 0..10 ok\nc1 read x many 20..30 ok"))
    assert verdict.valid is None
    assert "op 1, of kind read, has the value many" in verdict.why


def test_numbers_beyond_62_bits_are_unknown() -> None:
    large = str(1 << 61)
    verdict = counter(history(f"c1 increment x {large} 0..10 ok\nc2 increment x {large} 0..10 ok\nc1 read x 0 20..30 ok"))
    assert verdict.valid is None


def test_a_counter_that_cannot_be_read_hides_no_other() -> None:
    broken = "c1 increment x much 0..10 ok\nc2 read x 1 20..30 ok\nc1 increment y 1 0..10 ok\n"
    verdict = counter(history(f"{broken}c2 read y 1 20..30 ok"))
    assert (verdict.valid, verdict.why) == (None, "op 0, of kind increment, has the value much, not a whole number")
    assert counter(history(f"{broken}c2 read y 2 20..30 ok")).ops == (3,)
    assert counter(history("c1 increment x 1 0..10 ok\nc2 read x much 20..30 ok")).valid is None


@pytest.mark.parametrize("change", ["write c 0", "delete c null", "reset c null"])
def test_a_counter_that_other_calls_change_is_not_judged(change: str) -> None:
    reset = f"c1 increment c 5 0..10 ok\nc1 {change} 20..30 ok\nc2 read c 0 40..50 ok\n"
    verdict = counter(history(reset))
    assert (verdict.valid, verdict.why) == (None, f"what {change.split()[0]} did to 1 key is not known here: c")
    assert counter(history(reset + "c1 increment d 5 0..10 ok\nc2 read d 5 40..50 ok")).valid is None
    assert counter(history(reset + "c1 increment d 5 0..10 ok\nc2 read d 4 40..50 ok")).valid is False
    assert counter(history(reset.replace("20..30 ok", "20..30 failed"))).valid is False


def random_history(random: Random) -> list[Op]:
    ops = []
    for client in range(3):
        for sent, done in spans(random, 2):
            if random.random() < 0.6:
                ops.append(Op(client, "increment", "x", random.choice(["1", "2", "-2", None]), sent, done, outcome(random)))
            else:
                ops.append(Op(client, "read", "x", str(random.choice([0, 0, 1, 1, 2, 3, -2])), sent, done, outcome(random)))
    for at, op in enumerate(ops):
        if op.kind == "read" and random.random() < 0.7:
            sums = possible_sums(op, ops)
            ops[at] = Op(op.client, op.kind, op.key, str(random.choice(sorted(sums))), op.sent, op.done, op.outcome)
    return ops


def possible_sums(read: Op, ops: list[Op]) -> set[int]:
    """Every sum of some choice among the increments that may count."""
    amounts = [(op, int(op.value or 1)) for op in ops if op.kind == "increment" and op.outcome != "failed"]
    certain = sum(amount for op, amount in amounts if op.ok and op.done < read.sent)
    optional = [amount for op, amount in amounts if not (op.ok and op.done < read.sent) and op.sent <= read.done]
    return {certain + sum(some) for some in chain.from_iterable(combinations(optional, n) for n in range(len(optional) + 1))}


def right(ops: list[Op]) -> bool | None:
    reads = [op for op in ops if op.kind == "read" and op.ok]
    if not reads or not any(op.kind == "increment" for op in ops):
        return None
    bounds = {op: possible_sums(op, ops) for op in reads}
    return all(min(sums) <= int(op.value or 0) <= max(sums) for op, sums in bounds.items())


def test_agrees_with_all_sums() -> None:
    agrees(counter, random_history, right, FEW)


@pytest.mark.nightly
def test_agrees_with_all_sums_for_long() -> None:
    agrees(counter, random_history, right, MANY)
