"""Track which fault windows hold which nodes in a state, so that overlapping windows do not undo each other's work."""

from __future__ import annotations

from collections import defaultdict


class Holds:
    """Windows, by label, that hold nodes in one state (down, or stopped)."""

    def __init__(self) -> None:
        self._holders: dict[str, set[str]] = defaultdict(set)

    def take(self, node: str, label: str) -> None:
        """Let the window hold the node from now on."""
        self._holders[node].add(label)

    def release(self, node: str, label: str) -> bool:
        """Let the window release the node. Returns whether it held the node and no other window does: then restore the node."""
        held = label in self._holders[node]
        self._holders[node].discard(label)
        return held and not self._holders[node]

    def holds(self, node: str) -> bool:
        """Whether any window holds the node."""
        return bool(self._holders[node])
