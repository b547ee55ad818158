"""The rule of dropped tombstones: when the first node drops one, no node still has a value that it deleted.

Such a value comes back sooner or later: it spreads again once no node knows better. A history shows that only if the key is
read before a node that still has the tombstone repairs it. This rule is for invariants, which see all nodes at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

OWN = ""
"""The place for what a node holds itself."""


class Left(NamedTuple):
    """Where a deleted value is left of a key whose tombstone was dropped."""

    node: str
    place: str
    key: str
    dropped_by: str


class DroppedTombstones(Generic[T]):
    """Watches nodes that hold a `T` of each key. A node has places: what it holds itself, and what it keeps for others."""

    def __init__(self, is_tombstone: Callable[[T], bool], is_older: Callable[[T, T], bool]) -> None:
        """`is_older(one, tombstone)`: whether the tombstone deletes `one`."""
        self._is_tombstone = is_tombstone
        self._is_older = is_older
        self._last: dict[str, Mapping[str, Mapping[str, T]]] = {}
        """By node, place and key, what it had when it was looked at last; also of nodes that are down, and still have it."""
        self._left: dict[tuple[str, str, str], tuple[T, str]] = {}
        """By node, place and key: what it had, deleted by a tombstone that this other node has dropped."""
        self._first: dict[str, T] = {}
        """The last tombstone of each key that some node has dropped: the others follow."""

    def lost(self, node: str) -> None:
        """The node has lost what it had: it has dropped nothing, and has nothing left."""
        self._last.pop(node, None)
        for where in [where for where in self._left if where[0] == node]:
            del self._left[where]

    def look(self, nodes: Mapping[str, Mapping[str, Mapping[str, T]]]) -> Left | None:
        """Look at what each running node has, by place and key. Returns a value that is left although it was deleted, if any.

        What a node had at the looks before and after a drop, it had when the tombstone was dropped. What it receives later is
        not judged. `nodes` are kept for the next look, so they must not change.
        """
        for node, places in nodes.items():
            last = self._last.get(node, {}).get(OWN, {})
            for key in sorted(last.keys() - places[OWN].keys()):
                if self._is_tombstone(last[key]):
                    self._dropped(node, key, last[key])
        self._last |= nodes
        for (node, place, key), (had, dropped_by) in list(self._left.items()):
            if node in nodes:
                if self._last[node].get(place, {}).get(key) == had:
                    return Left(node, place, key, dropped_by)
                del self._left[node, place, key]
        return None

    def _dropped(self, dropped_by: str, key: str, tombstone: T) -> None:
        if self._first.get(key) == tombstone:
            return
        self._first[key] = tombstone
        for node, places in self._last.items():
            for place, had in places.items():
                if key in had and self._is_older(had[key], tombstone):
                    self._left[node, place, key] = (had[key], dropped_by)
