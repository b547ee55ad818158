"""Check that all transactions could have run one after another."""

from __future__ import annotations

from typing import Final

from harness.checkers._transactions import levels
from harness.checkers._transactions.reading import KIND
from harness.model.history import History
from harness.model.verdict import Verdict

KINDS: Final = (KIND,)


def serializable(history: History) -> Verdict:
    """All transactions could have run one after another, in an order that need not follow real time.

    Calls of kind "txn" hold JSON: `[["append", "x", 3], ["r", "x", [1, 3]], ["w", "y", 7], ["r", "y", null]]`. A key is a list
    or a register. An element is appended to a list once, and a value written to a register once, else the verdict is unknown
    unless the other keys contradict themselves. A failed transaction had no effect; one of unknown outcome had one if another
    transaction read what it wrote, and its own reads say nothing.

    An invalid verdict says what no order explains: an aborted or intermediate read (G1a, G1b), a lost update, or the gravest
    cycle of dependencies: G0, G1c, G-single, G2-item (A. Adya, "Weak Consistency", MIT, 1999). They are inferred as in
    K. Kingsbury and P. Alvaro, "Elle: Inferring Isolation Anomalies from Experimental Observations", VLDB 14(3), 2020. Lists
    show the order of their elements: O(n log n) for n operations in all, and exact. Registers do not: see
    `harness.checkers._transactions.orders`; a valid verdict has found a serial order, an invalid one that there is none, and
    the verdict is unknown if a bound is reached first.
    """
    return levels.judge(history, levels.SERIALIZABLE)


def applies(history: History) -> bool:
    """Whether there were transactions."""
    return levels.applies(history)
