"""Check that all transactions could have run one after another, each between its call and its answer."""

from __future__ import annotations

from typing import Final

from harness.checkers._transactions import levels
from harness.checkers._transactions.reading import KIND
from harness.model.history import History
from harness.model.verdict import Verdict

KINDS: Final = (KIND,)


def strict_serializable(history: History) -> Verdict:
    """All transactions could have run one after another, each at a moment between its call and its answer.

    Like `serializable`, and a transaction that was done before another was sent comes before it; those whose times touch are
    concurrent. One of unknown outcome may take effect at any time after it was sent. (Also called strong serializability;
    linearizability of transactions: M. Herlihy and J. Wing, ACM TOPLAS 12(3), 1990.) O(n log n) for lists.
    """
    return levels.judge(history, levels.STRICT_SERIALIZABLE)


def applies(history: History) -> bool:
    """Never by itself, because many databases do not promise it: ask for it by name."""
    return False
