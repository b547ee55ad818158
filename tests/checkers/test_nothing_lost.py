"""Acknowledged writes that are, and are not, still there after healing."""

from __future__ import annotations

from random import Random

import pytest

from harness.checkers.nothing_lost import nothing_lost
from harness.model.history import History
from tests.helpers.effort import cases, left_to_ci
from tests.helpers.random_registers import any_history
from tests.helpers.search import Op, has_order
from tests.helpers.synthetic import window
from tests.helpers.transcript import history

KEPT = {
    "the last write is read": """
        c1 write x 1   0..10 ok
        c1 write x 2  20..30 ok
        c1 read  x 2  90..95 ok final
    """,
    "either of two concurrent writes may be the newer": """
        c1 write x 1   0..10 ok
        c2 write x 2   5..15 ok
        c1 read  x 1  90..95 ok final
    """,
    "writes that touch in time are concurrent": """
        c1 write x 1   0..10 ok
        c2 write x 2  10..15 ok
        c1 read  x 1  90..95 ok final
    """,
    "a write of unknown outcome may take effect after all others": """
        c1 write x 1   0..10 unknown
        c2 write x 2  20..30 ok
        c1 read  x 1  90..95 ok final
    """,
    "a write of unknown outcome may never take effect": """
        c1 write x 1   0..10 ok
        c2 write x 2  20..30 unknown
        c1 read  x 1  90..95 ok final
    """,
    "a write that failed may be missing": """
        c1 write x 1   0..10 ok
        c2 write x 2  20..30 failed
        c1 read  x 1  90..95 ok final
    """,
    "a write still going on at the final read": """
        c1 write x 1   0..10 ok
        c2 write x 2  80..92 ok final
        c1 read  x 1  90..95 ok final
    """,
    "a write done as the final read is sent": """
        c1 write x 1   0..10 ok
        c2 write x 2  20..90 ok final
        c1 read  x 1  90..95 ok final
    """,
    "a key may be written again after healing": """
        c1 write x 1   0..10 ok
        c1 write x 2  92..94 ok final
        c1 read  x 2  96..98 ok final
        c2 read  x 1  90..91 ok final
    """,
    "a value that was seen while a later write was under way may be the newer": """
        c1 write x 1   0..10 unknown
        c2 write x 2  20..30 ok
        c3 read  x 1  22..28 ok
        c1 read  x 1  90..95 ok final
    """,
    "a value that was written twice and seen may have been written once more": """
        c1 write x 1   0..10 ok
        c3 read  x 1  12..14 ok
        c2 write x 2  20..30 ok
        c1 write x 1   5..40 unknown
        c1 read  x 1  90..95 ok final
    """,
    "a deletion by its own kind": """
        c1 write  x 1      0..10 ok
        c1 delete x null  20..30 ok
        c1 read   x null  90..95 ok final
    """,
    "null that was found early does not show that a later deletion was done": """
        c3 read   x null    0..1 ok
        c1 delete x null  20..80 unknown
        c1 write  x 1     30..40 ok
        c1 read   x null  90..95 ok final
    """,
    "a stale read before healing is not a loss": """
        c1 write x 1   0..10 ok
        c1 write x 2  20..30 ok
        c2 read  x 1  40..50 ok
        c1 read  x 2  90..95 ok final
    """,
    "a final read that failed says nothing beside one that was answered": """
        c1 write x 1   0..10 ok
        c1 read  x 1     90..95 ok final
        c1 read  x null  96..98 unknown final
    """,
    "a key never written may be empty": """
        c1 write x 1     0..10 ok
        c1 read  x 1    90..95 ok final
        c1 read  y null 90..95 ok final
    """,
    "the same value written twice: the later write counts": """
        c1 write x 1   0..10 ok
        c1 write x 2  20..30 ok
        c1 write x 1  40..50 ok
        c1 read  x 1  90..95 ok final
    """,
    "a deletion leaves nothing": """
        c1 write x 1      0..10 ok
        c1 write x null  20..30 ok
        c1 read  x null  90..95 ok final
    """,
}

LOST = {
    "each read after healing counts, not only the last": (
        """
        c1 write x 1     0..10 ok
        c1 write x 2    20..30 ok
        c2 read  x 1    90..91 ok final
        c2 read  x null 92..93 ok final
        c1 read  x 2    96..98 ok final
        """,
        "1 acknowledged write lost on x: client 1's write of 2 to x (op 1) was acknowledged, yet a read after healing"
        " found the older 1 (op 2)",
        (1, 2),
    ),
    "a value whose write is unknown, and that was seen before a later write was sent": (
        """
        c1 write x 1   0..10 unknown
        c3 read  x 1  12..14 ok
        c2 write x 2  20..30 ok
        c1 read  x 1  90..95 ok final
        """,
        "1 acknowledged write lost on x: client 2's write of 2 to x (op 2) was acknowledged, yet a read after healing"
        " found the older 1 (op 3)",
        (2, 3),
    ),
    "a value that was deleted is back": (
        """
        c1 write  x 1      0..10 ok
        c1 delete x null  20..30 ok
        c1 read   x 1     90..95 ok final
        """,
        "1 acknowledged write lost on x: client 1's delete of nothing to x (op 1) was acknowledged, yet a read after healing"
        " found the older 1 (op 2)",
        (1, 2),
    ),
    "an older value is back": (
        """
        c1 write x 1   0..10 ok
        c2 write x 2  20..30 ok
        c1 read  x 1  90..95 ok final
        """,
        "1 acknowledged write lost on x: client 2's write of 2 to x (op 1) was acknowledged, yet a read after healing"
        " found the older 1 (op 2)",
        (1, 2),
    ),
    "the key is empty": (
        """
        c1 write x 1   0..10 ok
        c2 write x 2   5..30 ok
        c1 read  x null  90..95 ok final
        """,
        "2 acknowledged writes lost on x: client 1's write of 1 to x (op 0) was acknowledged, yet a read after healing"
        " found nothing (op 2)",
        (0, 1, 2),
    ),
    "writes on several keys, each counted": (
        """
        c1 write r7 1   0..10 ok
        c1 write r7 2  20..30 ok
        c1 write r7 3  40..50 ok
        c2 write r1 9   0..10 ok
        c2 write r2 8   0..10 ok
        c1 read  r7 1     90..95 ok final
        c1 read  r1 null  90..95 ok final
        c1 read  r2 8     90..95 ok final
        """,
        "3 acknowledged writes lost on r1, r7: client 1's write of 2 to r7 (op 1) was acknowledged, yet a read after"
        " healing found the older 1 (op 5)",
        (1, 2, 3, 5, 6),
    ),
    "only the write that surely follows is lost": (
        """
        c1 write x 1   0..10 ok
        c2 write x 2   5..15 ok
        c3 write x 3  11..20 ok
        c1 read  x 1  90..95 ok final
        """,
        "1 acknowledged write lost on x: client 3's write of 3 to x (op 2) was acknowledged, yet a read after healing"
        " found the older 1 (op 3)",
        (2, 3),
    ),
    "a value that no client wrote": (
        """
        c1 write x 1   0..10 ok
        c1 read  x 7  90..95 ok final
        """,
        "1 key with a value that was never written: x reads 7 (op 1)",
        (1,),
    ),
    "a write that failed is there": (
        """
        c1 write x 1   0..10 ok
        c1 write x 2  20..30 failed
        c1 read  x 2  90..95 ok final
        """,
        "1 key with a value that was never written: x reads 2 (op 2)",
        (2,),
    ),
    "the value is written only after it was read": (
        """
        c1 write x 1   0..10 ok
        c1 read  x 2  90..95 ok final
        c1 write x 2  96..99 ok final
        """,
        "1 key with a value that was never written: x reads 2 (op 1)",
        (1,),
    ),
    "another key's value is there": (
        """
        c1 write x 1   0..10 ok
        c1 write y 2   0..10 ok
        c1 read  x 2  90..95 ok final
        c1 read  y 2  90..95 ok final
        """,
        "1 key with a value that was never written: x reads 2 (op 2)",
        (2,),
    ),
    "a loss outweighs a key that was never read again": (
        """
        c1 write y 1   0..10 ok
        c1 write x 1   0..10 ok
        c1 read  x null  90..95 ok final
        """,
        "1 acknowledged write lost on x: client 1's write of 1 to x (op 1) was acknowledged, yet a read after healing"
        " found nothing (op 2)",
        (1, 2),
    ),
}

UNDECIDED = {
    "a key that is changed by other calls as well": (
        """
        c1 write x 1      0..10 ok
        c1 cas   x [1,2] 20..30 ok
        c1 read  x 2     90..95 ok final
        """,
        "what cas did to 1 key is not known here: x",
    ),
    "a key that is also changed by calls of unknown outcome": (
        """
        c1 write x 1      0..10 ok
        c1 cas   x [1,2] 20..30 unknown
        c1 read  x 2     90..95 ok final
        """,
        "what cas did to 1 key is not known here: x",
    ),
    "a key that transactions may have written": (
        """
        c1 write x 1                0..10 ok
        c2 txn   - [["w","x","2"]] 20..30 ok
        c1 read  x 2               90..95 ok final
        """,
        "what txn did to 1 key is not known here: x",
    ),
    "nothing at all": ("", "no write was acknowledged, so nothing could be lost"),
    "no write acknowledged": (
        """
        c1 write x 1   0..10 unknown
        c1 write x 2  20..30 failed
        c1 read  x null  90..95 ok final
        """,
        "no write was acknowledged, so nothing could be lost",
    ),
    "a key without a final read": (
        """
        c1 write x 1   0..10 ok
        c1 write y 1   0..10 ok
        c1 read  y 1  20..30 ok
        c1 read  x 1  90..95 ok final
        c1 read  y 1  90..95 unknown final
        """,
        "1 key with acknowledged writes had no answered read after healing and after one of them: y",
    ),
    "a key whose only write was not done when the final read was sent": (
        """
        c1 write x 1      0..10 ok
        c1 write y 1      0..92 ok
        c1 read  x 1     90..95 ok final
        c1 read  y null  90..95 ok final
        """,
        "1 key with acknowledged writes had no answered read after healing and after one of them: y",
    ),
}


@pytest.mark.parametrize("transcript", KEPT.values(), ids=KEPT.keys())
def test_accepts(transcript: str) -> None:
    verdict = nothing_lost(history(transcript))
    assert verdict.valid is True, verdict.why


@pytest.mark.parametrize(("transcript", "why", "ops"), LOST.values(), ids=LOST.keys())
def test_rejects(transcript: str, why: str, ops: tuple[int, ...]) -> None:
    verdict = nothing_lost(history(transcript))
    assert (verdict.valid, verdict.why, verdict.ops) == (False, why, ops)


@pytest.mark.parametrize(("transcript", "why"), UNDECIDED.values(), ids=UNDECIDED.keys())
def test_does_not_guess(transcript: str, why: str) -> None:
    verdict = nothing_lost(history(transcript))
    assert (verdict.valid, verdict.why) == (None, why)


def test_says_that_later_writes_hid_what_the_fault_may_have_lost() -> None:
    """x is written again after the fault. Unless another key is not, the check has seen nothing of what the fault lost."""
    covered = """
        c1 write x 1   0..10 ok
        c1 write x 2  20..25 ok    # what was lost would be hidden by the next one
        c1 write x 3  40..50 ok
        c1 read  x 3  90..95 ok final
    """
    shown = """
        c1 write y 1   0..10 ok
        c1 read  y 1  90..95 ok final
    """
    fault = [window(0.015, 0.03)]
    said = "each written again after the last fault was healed, so only reads before that could show what the faults lost"
    assert said in nothing_lost(history(covered, fault)).why
    for other in (history(covered + shown, fault), history(covered), history(covered, [window(0.015, 0.045)])):
        verdict = nothing_lost(other)
        assert verdict.valid is True
        assert said not in verdict.why


@pytest.mark.parametrize("change", ["increment y 1", "append y 7", "add y 7", "put y 7"])
def test_keys_that_only_other_calls_change_are_left_to_other_checks(change: str) -> None:
    verdict = nothing_lost(
        history(f"""
        c1 write x 1    0..10 ok
        c1 {change}    20..30 ok
        c1 read  x 1   90..95 ok final
        c1 read  y 7   90..95 ok final
        """)
    )
    assert verdict.valid is True, verdict.why


def test_many_lost_keys_are_counted_and_not_all_named() -> None:
    lines = [f"c1 write k{key:02} 1 0..10 ok\nc1 read k{key:02} null 90..95 ok final" for key in range(25)]
    verdict = nothing_lost(history("\n".join(lines)))
    assert verdict.why.startswith(
        "25 acknowledged writes lost on k00, k01, k02, k03, k04, k05, k06, k07, k08, k09 and 15 more:"
    )
    assert len(verdict.ops) == 50


def is_lost(ops: list[Op], final: set[int]) -> bool:
    """The same by trying orders: no order explains the final read together with one acknowledged write."""
    for read in (ops[number] for number in final if ops[number].kind == "read" and ops[number].outcome == "ok"):
        sources = [op for op in ops if op.kind == "write" and op.value == read.value and op.outcome != "failed"]
        since = min((op.sent for op in sources), default=0)
        seen = [op for op in ops if op.kind == "read" and op.outcome == "ok" and op.value == read.value and op.done >= since]
        others = [op for op in ops if op.kind == "write" and op.outcome == "ok" and op.value != read.value]
        if not has_order([*sources, read]):
            return True
        if any(not has_order([*sources, *(op for op in seen if op.done < other.sent), other, read]) for other in others):
            return True
    return False


@pytest.mark.parametrize("seed", [0, *map(left_to_ci, (1, 2, 3))])
def test_agrees_with_a_search_through_all_orders(seed: int) -> None:
    """Each key has its own small random history; the operations in the verdict show which keys are wrong."""
    random = Random(seed)
    rows: list[dict[str, object]] = []
    wrong = set()
    for key in range(cases(5_000)):
        ops = any_history(random)
        final = {number for number in range(len(ops)) if random.random() < 0.5}
        rows += [
            {
                "phase": "final" if number in final and op.kind == "read" else "load", "client": number, "key": str(key),
                "kind": op.kind, "value": op.value, "outcome": op.outcome, "sent_ns": int(op.sent), "done_ns": int(op.done),
            }
            for number, op in enumerate(ops)
        ]  # fmt: skip
        if is_lost(ops, final):
            wrong.add(str(key))
    found = History.of(rows)
    assert cases(500) < len(wrong) < cases(4_500)
    assert set(found.ops["key"].loc[list(nothing_lost(found).ops)]) == wrong
