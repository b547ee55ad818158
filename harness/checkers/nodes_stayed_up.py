"""Check that no node died except by a fault."""

from __future__ import annotations

from harness.model.history import History
from harness.model.verdict import Verdict


def nodes_stayed_up(history: History) -> Verdict:
    """No node died by itself, and every node that a fault ended came back.

    Unknown if not even a node's start was recorded.
    """
    wrong = history.events[history.events["kind"].isin(["died", "did not start"])]
    if wrong.empty and not applies(history):
        return Verdict(valid=None, why="it was not recorded what became of the nodes")
    if wrong.empty:
        return Verdict(valid=True, why="no node died but by a fault, and every node came back")
    first = wrong.iloc[0]
    more = f" ({len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return Verdict(valid=False, why=f"{first['node']} {first['kind']} at {first['at_ns'] / 1e9:.2f} s: {first['detail']}{more}")


def applies(history: History) -> bool:
    """Whether it was recorded what became of the nodes."""
    return bool(history.events["kind"].isin(["started", "died", "did not start"]).any())
