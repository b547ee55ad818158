"""Check that transactions read only what was committed."""

from __future__ import annotations

from typing import Final

from harness.checkers._transactions import levels
from harness.checkers._transactions.reading import KIND
from harness.model.history import History
from harness.model.verdict import Verdict

KINDS: Final = (KIND,)


def read_committed(history: History) -> Verdict:
    """Transactions read only what others had committed, and their writes do not interleave.

    Like `serializable`, but only cycles without anti-dependencies count (G0, G1c), besides reads of what was aborted (G1a),
    overwritten by its own transaction (G1b) or never written: A. Adya's PL-2, "Weak Consistency", MIT, 1999. Lists that were
    read in contradictory orders are invalid as well. O(n log n).
    """
    return levels.judge(history, levels.READ_COMMITTED)


def applies(history: History) -> bool:
    """Never by itself, because `serializable` finds more: ask for it by name."""
    return False
