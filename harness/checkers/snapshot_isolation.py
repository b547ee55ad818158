"""Check that each transaction read from a snapshot, and no two that overlapped wrote the same key."""

from __future__ import annotations

from typing import Final

from harness.checkers._transactions import levels
from harness.checkers._transactions.reading import KIND
from harness.model.history import History
from harness.model.verdict import Verdict

KINDS: Final = (KIND,)


def snapshot_isolation(history: History) -> Verdict:
    """Each transaction read from one snapshot, and of two that overlapped and wrote the same key, one did not commit.

    Like `serializable`, but a cycle counts only if no two of its anti-dependencies are adjacent, so write skew (G2-item) is
    allowed: A. Cerone and A. Gotsman, "Analysing Snapshot Isolation", PODC 2016, theorem 4.1. A snapshot may be an old one:
    real time does not matter. O(n log n) for lists of which every element was read; otherwise as for registers.
    """
    return levels.judge(history, levels.SNAPSHOT_ISOLATION)


def applies(history: History) -> bool:
    """Never by itself, because `serializable` finds more: ask for it by name."""
    return False
