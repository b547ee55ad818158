"""Registers that did, and did not, behave like one register that does one thing at a time."""

from __future__ import annotations

import pytest

from harness.checkers.linearizable import linearizable
from harness.model.history import History
from tests.helpers.transcript import history

LINEARIZABLE = {
    "one after another": """
        c1 read  x null  0..1 ok
        c1 write x 1     2..3 ok
        c2 read  x 1     4..5 ok
        c1 write x 2     6..7 ok
        c2 read  x 2     8..9 ok
    """,
    "two keys know nothing of each other": """
        c1 write x 1     0..1 ok
        c1 read  y null  2..3 ok
        c1 write y 1     4..5 ok
        c1 read  x 1     6..7 ok
    """,
    "a read during a write sees either value": """
        c1 write x 1    0..1 ok
        c1 write x 2   10..20 ok
        c2 read  x 1   11..12 ok
        c3 read  x 2   13..14 ok
        c2 read  x 2   15..16 ok
    """,
    "concurrent writes in either order": """
        c1 write x 1    0..10 ok
        c2 write x 2    0..10 ok
        c3 read  x 2   11..12 ok
    """,
    "a read and the write it saw began together": """
        c1 write x 1    5..10 ok
        c2 read  x 1    0..5  ok
    """,
    "a stale read that touches the newer write's end": """
        c1 write x 1    0..1 ok
        c1 write x 2    2..5 ok
        c2 read  x 1    5..6 ok
    """,
    "nothing is read as the first write ends": """
        c1 write x 1     0..5 ok
        c2 read  x null  5..6 ok
    """,
    "two values each held at one moment": """
        c1 write x 1    0..5 ok
        c2 read  x 1    5..6 ok
        c3 write x 2    0..6 ok
        c4 read  x 2    6..7 ok
    """,
    "a write of unknown outcome that takes effect late": """
        c1 write x 1    0..1  unknown
        c2 write x 2    2..3  ok
        c3 read  x 2    4..5  ok
        c3 read  x 1    9..10 ok
    """,
    "a write of unknown outcome that never takes effect": """
        c1 write x 1    0..1  ok
        c2 write x 2    2..3  unknown
        c3 read  x 1    4..5  ok
    """,
    "a failed write that no read saw": """
        c1 write x 1    0..1  ok
        c2 write x 2    2..3  failed
        c3 read  x 1    4..5  ok
    """,
    "a failed write, tried again": """
        c1 write x 1    0..1  failed
        c1 write x 1    2..3  ok
        c3 read  x 1    4..5  ok
    """,
    "a read of unknown outcome says nothing": """
        c1 write x 1     0..1  ok
        c3 read  x null  4..5  unknown
        c3 read  x null  6..7  failed
        c3 read  x 1     8..9  ok
    """,
    "other kinds of calls are none of its business": """
        c1 write   x 1   0..1  ok
        c3 predict x 7   2..3  ok
        c3 read    x 1   4..5  ok
    """,
}

CONTRADICTORY = {
    "a stale read": (
        """
        c1 write x 17   0..1 ok
        c2 write x 23   2..3 ok
        c4 read  x 17   4..5 ok
        """,
        "key x: client 4 read 17 (op 2) after client 2's write of 23 (op 1) had been acknowledged, yet 17 is the older value:"
        " client 1's write of 17 (op 0) had been acknowledged before that write was sent",
        (0, 1, 2),
    ),
    "an acknowledged write is not seen": (
        """
        c1 write x 17     0..1 ok
        c4 read  x null   4..5 ok
        """,
        "key x: client 4 read nothing (op 1) after client 1's write of 17 (op 0) had been acknowledged",
        (0, 1),
    ),
    "what was read is gone again": (
        """
        c1 write x 17     0..9 unknown
        c2 read  x 17     2..3 ok
        c4 read  x null   4..5 ok
        """,
        "key x: client 4 read nothing (op 2) after client 2 had read 17 (op 1)",
        (1, 2),
    ),
    "two readers see concurrent writes in different orders": (
        """
        c1 write x 17    0..9 ok
        c2 write x 23    0..9 ok
        c3 read  x 17    1..2 ok
        c4 read  x 23    3..4 ok
        c5 read  x 17    5..6 ok
        """,
        "key x: client 5 read 17 (op 4) after client 4 had read 23 (op 3), yet 17 is the older value:"
        " client 3 had read 17 (op 2) before that read was sent",
        (2, 3, 4),
    ),
    "new, then old, while the new one is still being written": (
        """
        c1 write x 17    0..1 ok
        c2 write x 23    2..9 ok
        c3 read  x 23    3..4 ok
        c4 read  x 17    5..6 ok
        """,
        "key x: client 4 read 17 (op 3) after client 3 had read 23 (op 2), yet 17 is the older value:"
        " client 1's write of 17 (op 0) had been acknowledged before that read was sent",
        (0, 2, 3),
    ),
    "the same, and the reader of the new value began too early to tell": (
        """
        c1 write x 17    0..1 ok
        c2 write x 23    2..9 ok
        c3 read  x 23    0..4 ok
        c4 read  x 17    5..6 ok
        """,
        "key x: client 4 read 17 (op 3) after client 3 had read 23 (op 2), yet 17 is the older value:"
        " client 1's write of 17 (op 0) had been acknowledged before client 2's write of 23 (op 1) was sent",
        (0, 1, 2, 3),
    ),
    "of two reads that are wrong the one that was done first": (
        """
        c1 write x 17     0..1   ok
        c2 read  x null  11..13  ok
        c3 read  x null  10..12  ok
        """,
        "key x: client 3 read nothing (op 2) after client 1's write of 17 (op 0) had been acknowledged",
        (0, 2),
    ),
    "a call that only touches is not told as the reason": (
        """
        c1 write x 17    0..5   ok
        c2 read  x 17    0..4   ok
        c3 write x 23    5..6   ok
        c4 read  x 17   10..11  ok
        """,
        "key x: client 4 read 17 (op 3) after client 3's write of 23 (op 2) had been acknowledged, yet 17 is the older value:"
        " client 2 had read 17 (op 1) before that write was sent",
        (1, 2, 3),
    ),
    "a value out of thin air": (
        """
        c1 write x 17    0..1 ok
        c4 read  x 18    4..5 ok
        """,
        "key x: client 4 read 18 (op 1), which was never written",
        (1,),
    ),
    "another key's value": (
        """
        c1 write x 17    0..1 ok
        c4 read  y 17    4..5 ok
        """,
        "key y: client 4 read 17 (op 1), which was never written",
        (1,),
    ),
    "a failed write is read": (
        """
        c1 write x 17    0..1 failed
        c4 read  x 17    4..5 ok
        """,
        "key x: client 4 read 17 (op 1), but client 1's write of it (op 0) had failed",
        (0, 1),
    ),
    "a value is read before it is written": (
        """
        c1 write x 17    6..7 ok
        c4 read  x 17    4..5 ok
        """,
        "key x: client 4 read 17 (op 1) before client 1's write of 17 (op 0) was sent",
        (0, 1),
    ),
    "of two contradictions the one that was there first": (
        """
        c1 write x 1     0..1   ok
        c1 write x 2     2..3   ok
        c1 read  x 1    40..41  ok
        c1 read  x 1    20..21  ok
        c1 read  x 1    30..31  ok
        c2 read  x 9    50..51  ok
        """,
        "key x: client 1 read 1 (op 3) after client 1's write of 2 (op 1) had been acknowledged, yet 1 is the older value:"
        " client 1's write of 1 (op 0) had been acknowledged before that write was sent",
        (0, 1, 3),
    ),
    "on several keys, again the first": (
        """
        c1 write x 1     0..1   ok
        c1 write y 1     0..1   ok
        c1 write z 1     0..1   ok
        c1 read  x null 10..12  ok
        c1 read  y null 10..11  ok
        c1 read  z 1    10..11  ok
        """,
        "key y: client 1 read nothing (op 4) after client 1's write of 1 (op 1) had been acknowledged"
        " (2 keys contradict themselves)",
        (1, 4),
    ),
    "a contradiction outweighs what cannot be decided": (
        """
        c1 write y 1     0..1   ok
        c1 write y 1     0..1   ok
        c1 write x 1     0..1   ok
        c1 read  x null 20..21  ok
        """,
        "key x: client 1 read nothing (op 3) after client 1's write of 1 (op 2) had been acknowledged",
        (2, 3),
    ),
}

UNDECIDED = {
    "nothing at all": ("", "no read was answered, so nothing could show the order of the writes"),
    "no answered read": (
        "c1 write x 1 0..1 ok\nc1 read x null 2..3 unknown",
        "no read was answered, so nothing could show the order of the writes",
    ),
}


@pytest.mark.parametrize("transcript", LINEARIZABLE.values(), ids=LINEARIZABLE.keys())
def test_accepts(transcript: str) -> None:
    verdict = linearizable(history(transcript))
    assert verdict.valid is True, verdict.why


@pytest.mark.parametrize(("transcript", "why", "ops"), CONTRADICTORY.values(), ids=CONTRADICTORY.keys())
def test_rejects(transcript: str, why: str, ops: tuple[int, ...]) -> None:
    verdict = linearizable(history(transcript))
    assert (verdict.valid, verdict.why, verdict.ops) == (False, why, ops)


@pytest.mark.parametrize(("transcript", "why"), UNDECIDED.values(), ids=UNDECIDED.keys())
def test_does_not_guess(transcript: str, why: str) -> None:
    verdict = linearizable(history(transcript))
    assert (verdict.valid, verdict.why) == (None, why)


@pytest.mark.parametrize("rewritten", [False, True])
def test_an_object_without_a_name_is_told_as_such(rewritten: bool) -> None:
    told = history("c1 write x 1 0..1 ok\nc1 write x 1 2..3 ok\nc1 read x 2 4..5 ok" if rewritten else "c1 read x 2 0..1 ok")
    verdict = linearizable(History.of(told.ops.assign(key="")))
    assert verdict.why.startswith('key "": ')


def test_says_what_it_explained() -> None:
    verdict = linearizable(history("c1 write x 1 0..1 ok\nc1 read x 1 2..3 ok\nc1 read y null 2..3 ok"))
    assert verdict.why == "one order in time explains all of 2 reads and 1 write on 2 keys"
