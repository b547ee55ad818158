"""Whether what a fault took out of service came back into service."""

from __future__ import annotations

from typing import Final

import pandas as pd

from harness.checkers._wording import count, listed
from harness.drill import Verdict
from harness.history import History

GRACE_NS: Final = 1_000_000_000
"""A node may take this long after its fault is healed until it is asked again."""

CALLS_PER_NODE: Final = 20
"""Answers that every node would have given on average, at least, before the absence of one counts."""


def replicas_return(history: History) -> Verdict:
    """Every node that answered calls before a fault hit it answers calls again once the fault is healed.

    A service can lose one node after another for good and look well until the last one goes. This looks at each: from a
    second after it was healed until a fault hits it again or the load ends, it has to give at least one answer. Where so
    little was answered in that time that chance may have left it out, nothing is said of it.
    """
    answered = history.load[(history.load["outcome"] == "ok") & (history.load["node"] != "")]
    windows = history.windows.dropna(subset=["injected_ns", "healed_ns"])
    back: list[str] = []
    lost: list[str] = []
    for label, targets, injected_ns, healed_ns in zip(
        windows["label"], windows["targets"], windows["injected_ns"], windows["healed_ns"], strict=True
    ):
        for node in _nodes(str(targets)):
            before = answered[answered["done_ns"] < injected_ns]
            after = answered[
                (answered["sent_ns"] >= healed_ns + GRACE_NS) & (answered["done_ns"] < _next_hit_ns(windows, node, injected_ns))
            ]
            if not (before["node"] == node).any() or len(after) < CALLS_PER_NODE * before["node"].nunique():
                continue
            if (after["node"] == node).any():
                back.append(node)
            else:
                lost.append(
                    f"{node} after {label} was healed at {healed_ns / 1e9:.2f} s (others: {count(len(after), 'answer')})"
                )
    if lost:
        return Verdict(valid=False, why=f"never asked again: {listed(lost)}")
    if not back:
        return Verdict(valid=None, why="no fault on a node that answers calls was healed early enough before the load's end")
    return Verdict(valid=True, why=f"in service again after each fault: {listed(sorted(set(back)))}")


def applies(history: History) -> bool:
    """Where answers tell who gave them, and faults were healed."""
    return bool((history.load["node"] != "").any()) and bool(history.windows["healed_ns"].notna().any())


def _nodes(targets: str) -> list[str]:
    """The nodes that a window hit; of a link the one that it leads to."""
    return [target.rpartition(">")[2] for target in targets.split()]


def _next_hit_ns(windows: pd.DataFrame, node: str, injected_ns: int) -> float:
    """When a later window hits this node; never, where none does."""
    hits = [
        float(later_ns)
        for targets, later_ns in zip(windows["targets"], windows["injected_ns"], strict=True)
        if later_ns > injected_ns and node in _nodes(str(targets))
    ]
    return min(hits, default=float("inf"))
