"""Sets that lose elements, bring them back, or hold what was never added."""

from __future__ import annotations

import json
from random import Random

import pytest

from harness.checkers.set_full import set_full
from harness.run import catalog
from tests.helpers.fuzz import FEW, MANY, Op, agrees, outcome, spans
from tests.helpers.transcript import history

PAIRS = {
    "an element that a failover loses": (
        "c1 add s 1 0..10 ok\nc1 add s 2 20..30 ok\nc2 read s [1,2] 40..50 ok",
        "c1 add s 1 0..10 ok\nc1 add s 2 20..30 ok\nc2 read s [1] 40..50 ok",
    ),
    "an element that was seen, and whose add was never acknowledged": (
        "c1 add s 1 0..10 unknown\nc2 read s [] 40..50 ok\nc2 read s [1] 60..70 ok",
        "c1 add s 1 0..10 unknown\nc2 read s [1] 40..50 ok\nc2 read s [] 60..70 ok",
    ),
    "an element of a failed add": (
        "c1 add s 1 0..10 failed\nc2 read s [] 40..50 ok",
        "c1 add s 1 0..10 failed\nc2 read s [1] 40..50 ok",
    ),
    "an element that a merge doubles": (
        'c1 add s a 0..10 ok\nc2 read s ["a"] 40..50 ok',
        'c1 add s a 0..10 ok\nc2 read s ["a","a"] 40..50 ok',
    ),
    "an element that a merge without tombstones brings back": (
        "c1 add s 1 0..10 ok\nc1 remove s 1 20..30 ok\nc2 read s [1] 30..50 ok\nc2 read s [] 60..70 ok",
        "c1 add s 1 0..10 ok\nc1 remove s 1 20..30 ok\nc2 read s [] 40..50 ok\nc2 read s [1] 60..70 ok",
    ),
    "an element that a deleted set still hides": (
        "c1 add s 1 0..10 ok\nc1 delete s null 20..30 ok\nc1 add s 2 31..40 ok\nc2 read s [2] 50..60 ok",
        "c1 add s 1 0..10 ok\nc1 delete s null 20..30 ok\nc1 add s 2 31..40 ok\nc2 read s [] 50..60 ok",
    ),
    "an element whose add a delete may have seen": (
        "c1 delete s null 20..30 ok\nc1 add s 2 30..40 ok\nc2 read s [] 50..60 ok",
        "c1 delete s null 20..30 failed\nc1 add s 2 30..40 ok\nc2 read s [] 50..60 ok",
    ),
    "an element from the future": (
        "c2 read s [1] 0..10 ok\nc1 add s 1 10..20 ok\nc2 read s [1] 30..40 ok",
        "c2 read s [1] 0..10 ok\nc1 add s 1 11..20 ok\nc2 read s [1] 30..40 ok",
    ),
}


@pytest.mark.parametrize(("good", "bad"), PAIRS.values(), ids=PAIRS.keys())
def test_anomalies_and_their_good_twins(good: str, bad: str) -> None:
    assert set_full(history(good)).valid is True
    verdict = set_full(history(bad))
    assert verdict.valid is False
    assert verdict.ops


def test_a_stale_element_is_told_with_how_long() -> None:
    stale = "c1 add s 1 0..10 ok\nc2 read s [] 40..50 ok\nc2 read s [1] 60..70 ok"
    verdict = set_full(history(stale))
    assert verdict.valid is True
    assert "1 element stale, for up to 0.030 s" in verdict.why


def test_a_lost_element_is_told_with_its_times() -> None:
    verdict = set_full(history("c1 add s 1 0..10 ok\nc1 add s 2 0..10 ok\nc2 read s [2] 40..50 ok"))
    assert "1; the first in s, known by 0.010 s, missing in a read at 0.040 s (op 2)" in verdict.why
    assert verdict.ops == (0, 2)


def test_an_element_that_no_later_read_tells_of_is_unknown() -> None:
    verdict = set_full(history("c2 read s [] 0..5 ok\nc1 add s 1 0..10 ok"))
    assert verdict.valid is None
    assert "no later read" in verdict.why


@pytest.mark.parametrize("change", ["write s []", "clear s null"])
def test_a_set_that_other_calls_change_is_not_judged(change: str) -> None:
    cleared = f"c1 add s a 0..10 ok\nc1 {change} 20..30 ok\nc2 read s [] 40..50 ok\n"
    verdict = set_full(history(cleared))
    assert (verdict.valid, verdict.why) == (None, f"what {change.split()[0]} did to 1 key is not known here: s")
    assert set_full(history(cleared + 'c1 add r a 0..10 ok\nc2 read r ["a"] 40..50 ok')).valid is None
    assert set_full(history(cleared + "c1 add r a 0..10 ok\nc2 read r [] 40..50 ok")).valid is False
    assert set_full(history(cleared.replace("20..30 ok", "20..30 failed"))).valid is False
    looked_for = 'c1 add s a 0..10 ok\nc1 contains s ["a",true] 20..30 ok\nc2 read s ["a"] 40..50 ok'
    assert set_full(history(looked_for)).valid is True


def test_a_loss_is_found_although_the_last_call_is_an_add() -> None:
    found = history("c1 add s a 0..10 ok\nc2 read s [] 20..30 ok\nc1 add s b 40..50 ok")
    assert [check.__name__ for check in catalog.checkers_for(found) if check(found).valid is False] == ["set_full"]
    found = history('c1 add s a 0..10 ok\nc2 read s ["a"] 20..30 ok\nc1 add s b 40..50 ok')
    assert set_full(found).valid is None


def test_null_may_be_an_element() -> None:
    assert set_full(history("c1 add s null 0..10 ok\nc2 read s [null] 20..30 ok")).valid is True
    assert set_full(history("c1 add s null 0..10 ok\nc2 read s [] 20..30 ok")).valid is False


def random_set(random: Random) -> list[Op]:
    """Adds, removes and reads; most reads show what a set that is sometimes stale or forgetful might."""
    ops: list[Op] = []
    for client in range(2):
        for at, (sent, done) in enumerate(spans(random, 2)):
            ops.append(Op(client, "add", "s", f"{client}{random.choice([at, at, 0])}", sent, done, outcome(random)))
    if random.random() < 0.4:
        sent, done = spans(random, 1, latest=16)[0]
        ops.append(Op(2, "remove", "s", random.choice(ops).value, sent, done, outcome(random)))
    if random.random() < 0.3:
        sent, done = spans(random, 1, latest=16)[0]
        ops.append(Op(4, "delete", "s", None, sent, done, outcome(random)))
    for sent, done in spans(random, 3, latest=20):
        might = {op.value for op in ops if op.kind == "add" and op.outcome != "failed" and op.sent <= done}
        must = {op.value for op in ops if op.kind == "add" and op.ok and op.done < sent}
        gone = {op.value for op in ops if op.kind == "remove" and op.outcome != "failed" and op.sent <= done}
        shown = {value for value in might if value in must - gone or random.random() < 0.4}
        if random.random() < 0.2:
            shown = {value for value in [*might, "00", "11"] if random.random() < 0.7}
        listed = sorted(str(value) for value in shown)
        ops.append(Op(3, "read", "s", json.dumps(listed + listed[: random.random() < 0.03]), sent, done, outcome(random)))
    return ops


def kept(ops: list[Op]) -> bool | None:
    """The definition, element by element."""
    reads = [(op, json.loads(op.value or "[]")) for op in ops if op.kind == "read" and op.ok]
    if not reads:
        return None
    wrong, open_ = False, False
    for element in {op.value for op in ops if op.kind == "add"} | {value for _, shown in reads for value in shown}:
        adds = [op for op in ops if op.kind == "add" and op.value == element and op.outcome != "failed"]
        removes = [op for op in ops if op.kind == "remove" and op.value == element and op.outcome != "failed"]
        having = [op for op, shown in reads if element in shown]
        wrong |= any(shown.count(element) > 1 for _, shown in reads)
        wrong |= any(all(add.sent > op.done for add in adds) for op in having)
        first = min((op.sent for op in adds), default=float("inf"))
        deleted = any(op.kind == "delete" and op.outcome != "failed" and op.end >= first for op in ops)
        removing = min((op.sent for op in removes), default=float("inf"))
        if all(add.ok and add.done < removing for add in adds):
            wrong |= any(remove.ok and remove.done < op.sent for remove in removes for op in having)
        known = min([op.end for op in adds] + [op.done for op in having], default=float("inf"))
        lacking = [op for op, shown in reads if element not in shown and op.sent > known and op.done < removing]
        wrong |= not deleted and any(all(seen.done < op.sent for seen in having) for op in lacking)
        acked = min((op.end for op in adds), default=float("inf"))
        open_ |= acked < float("inf") and not removes and not deleted and all(op.sent <= known for op, _ in reads)
    return False if wrong else None if open_ else True


def test_agrees_with_the_definition() -> None:
    agrees(set_full, random_set, kept, FEW)


@pytest.mark.nightly
def test_agrees_with_the_definition_for_long() -> None:
    agrees(set_full, random_set, kept, MANY)
