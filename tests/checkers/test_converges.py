"""Replicas that agree in the end, and replicas that do not."""

from __future__ import annotations

from itertools import combinations
from random import Random

import pandas as pd
import pytest

from harness.checkers.converges import converges
from harness.model.history import History
from tests.helpers.fuzz import FEW, MANY, Op, agrees
from tests.helpers.transcript import history

PAIRS = {
    "a replica that never catches up": (
        "c1 write x 1 0..10 ok\nc2 read x 1 20..30 ok final node=n1\nc2 read x 1 40..50 ok final node=n2",
        "c1 write x 1 0..10 ok\nc2 read x 1 20..30 ok final node=n1\nc2 read x null 40..50 ok final node=n2",
    ),
    "two halves that keep their own writes": (
        "c1 write x 1 0..10 ok\nc2 write x 2 0..10 ok\nc1 read x 2 20..30 ok final\nc2 read x 2 20..30 ok final",
        "c1 write x 1 0..10 ok\nc2 write x 2 0..10 ok\nc1 read x 1 20..30 ok final\nc2 read x 2 20..30 ok final",
    ),
    "sets that were merged in one direction only": (
        'c1 add s a 0..9 ok\nc1 read s ["a","b"] 20..30 ok final node=n1\nc1 read s ["b","a"] 40..50 ok final node=n2',
        'c1 add s a 0..9 ok\nc1 read s ["a","b"] 20..30 ok final node=n1\nc1 read s ["b"] 40..50 ok final node=n2',
    ),
    "the last read of each replica counts": (
        "c1 write x 1 0..9 ok\nc1 read x 0 20..30 ok final node=n1\nc1 read x 1 40..50 ok final node=n1\nc1 read x 1 60..70 ok"
        " final node=n2",
        "c1 write x 1 0..9 ok\nc1 read x 1 20..30 ok final node=n1\nc1 read x 0 40..50 ok final node=n1\nc1 read x 1 60..70 ok"
        " final node=n2",
    ),
}


@pytest.mark.parametrize(("good", "bad"), PAIRS.values(), ids=PAIRS.keys())
def test_anomalies_and_their_good_twins(good: str, bad: str) -> None:
    assert converges(history(good)).valid is True
    verdict = converges(history(bad))
    assert verdict.valid is False
    assert len(verdict.ops) == 2


def test_a_write_without_an_answer_may_come_between_two_reads() -> None:
    verdict = converges(
        history("c1 write x 1 0..10 unknown\nc1 read x null 20..30 ok final node=n1\nc1 read x 1 40..50 ok final node=n2")
    )
    assert verdict.valid is None
    assert "unknown outcome" in verdict.why


def test_a_write_without_an_answer_explains_no_difference_between_other_values() -> None:
    verdict = converges(
        history(
            "c1 write x 1 0..10 ok\nc1 write x 2 0..10 unknown\nc1 read x null 20..30 ok final node=n1\nc1 read x 1 40..50 ok"
            " final node=n2"
        )
    )
    assert verdict.valid is False


def test_a_write_without_an_answer_explains_no_difference_between_those_who_did_not_see_it() -> None:
    ops = "c1 write x 1 0..9 ok\nc1 write x 2 0..9 ok\nc1 write x 3 0..9 unknown\nc1 read x 1 20..30 ok final node=n1\n"
    ops += "c1 read x 3 20..30 ok final node=n2\nc1 read x {} 20..30 ok final node=n3"
    assert converges(history(ops.format(2))).valid is False
    assert converges(history(ops.format(1))).valid is None
    assert converges(history(ops.format(3))).valid is None


def test_a_delete_without_an_answer_may_leave_some_elements_of_a_set() -> None:
    reads = 'c1 read s ["a","b"] 20..30 ok final node=n1\nc1 read s ["b"] 40..50 ok final node=n2'
    added = "c1 add s a 0..9 ok\nc1 add s b 0..9 ok\n"
    assert converges(history(f"{added}c1 delete s null 10..19 unknown\n{reads}")).valid is None
    assert converges(history(f"{added}c1 delete s null 10..19 ok\n{reads}")).valid is False


def test_a_delete_without_an_answer_explains_that_one_reader_sees_nothing() -> None:
    ops = "c1 write x 1 0..9 ok\nc1 delete x null 0..9 unknown\nc1 read x {} 20..30 ok final node=n1\n"
    ops += "c1 read x 1 40..50 ok final node=n2"
    assert converges(history(ops.format("null"))).valid is None
    assert converges(history(ops.format("2"))).valid is False


def test_a_write_of_null_without_an_answer_explains_that_one_reader_sees_nothing() -> None:
    ops = "c1 write x 1 0..9 ok\nc1 write x null 0..9 unknown\nc1 read x {} 20..30 ok final node=n1\n"
    ops += "c1 read x 1 40..50 ok final node=n2"
    assert converges(history(ops.format("null"))).valid is None
    assert converges(history(ops.format("2"))).valid is False


@pytest.mark.parametrize(
    ("change", "one", "other"), [("decrement x 1", "null", "0"), ("append x 1", "null", "[]"), ("append x 1", "null", "")]
)
def test_nothing_is_nothing_however_it_is_spelled(change: str, one: str, other: str) -> None:
    def verdict(second: str) -> bool | None:
        changed = history(f"c1 {change} 0..9 ok\nc1 increment y 1 0..9 ok").ops
        reads = history("c1 read x 1 20..30 ok final node=n1\nc1 read x 1 40..50 ok final node=n2").ops
        reads["value"] = [None if value == "null" else value for value in (one, second)]
        return converges(History.of(pd.concat([changed, reads], ignore_index=True))).valid

    assert verdict(other) is True
    assert verdict("7") is False


def test_a_transaction_changes_the_keys_that_it_writes() -> None:
    reads = "c1 read x 1 20..30 ok final node=n1\nc1 read x 2 40..50 ok final node=n2"
    write = 'c1 write x 1 0..9 ok\nc2 txn - [["w","{}","2"],["r","x",null]] {}\n'
    assert converges(history(write.format("x", "0..9 unknown") + reads)).valid is None
    assert converges(history(write.format("x", "31..39 ok") + reads)).valid is None
    assert converges(history(write.format("x", "0..9 ok") + reads)).valid is False
    assert converges(history(write.format("y", "0..9 unknown") + reads)).valid is False
    assert converges(history(f"c1 txn - null 0..9 unknown\n{reads}")).valid is None


def random_end(random: Random) -> list[Op]:
    ops = [
        Op(client, "write", random.choice("xy"), str(client), random.randint(0, 8), 9, random.choice(["ok"] * 9 + ["unknown"]))
        for client in range(2)
    ]
    for client in range(random.randint(2, 5)):
        sent = random.randint(7, 12)
        value, node = random.choice("00001"), random.choice(["n1", "n2"])
        result = random.choice(["ok"] * 9 + ["failed"])
        ops.append(
            Op(
                client,
                "read",
                random.choice("xy"),
                value,
                sent,
                sent + 1,
                result,
                random.choice(["final"] * 9 + ["load"]),
                node,
            )
        )
    return ops


def agreed(ops: list[Op]) -> bool | None:
    verdicts: list[bool | None] = []
    for key in "xy":
        changes = [op for op in ops if op.key == key and op.kind == "write" and op.outcome != "failed"]
        reads = [op for op in ops if op.key == key and op.kind == "read" and op.ok and op.phase == "final"]
        reads = [op for op in reads if all(op.sent > change.done for change in changes if change.ok)]
        lasts = [[op for op in reads if op.node == node] for node in ("n1", "n2")]
        seen = [max(own, key=lambda op: (op.sent, ops.index(op))).value for own in lasts if own]
        if len(seen) < 2:
            continue
        same = all(one == other for one, other in combinations(seen, 2))
        explained = any(not change.ok and change.value in seen for change in changes)
        verdicts.append(True if same else None if explained else False)
    return False if False in verdicts else None if None in verdicts or not verdicts else True


def test_agrees_with_the_definition() -> None:
    agrees(converges, random_end, agreed, FEW)


@pytest.mark.nightly
def test_agrees_with_the_definition_for_long() -> None:
    agrees(converges, random_end, agreed, MANY)
