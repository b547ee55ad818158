"""Limits that overlapping windows set on the same thing: the strictest wins, and the last release restores the old limit."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Limits(Generic[K]):
    """Limits, by the thing that they limit and the window that sets them; less is stricter."""

    def __init__(self) -> None:
        self._asked: dict[K, dict[str, float]] = {}
        self._before: dict[K, float] = {}

    def take(self, thing: K, label: str, limit: float, before: float) -> float:
        """Set a window's limit and return the effective one. `before` is the thing's own limit, used if no window limits it."""
        self._before.setdefault(thing, before)
        self._asked.setdefault(thing, {})[label] = limit
        return self._holding(thing)

    def release(self, label: str) -> dict[K, float]:
        """End a window's limits and return the effective limit of each thing that it limited."""
        changed = {}
        for thing in [thing for thing, asked in self._asked.items() if label in asked]:
            del self._asked[thing][label]
            changed[thing] = self._holding(thing)
            if not self._asked[thing]:
                del self._asked[thing], self._before[thing]
        return changed

    def _holding(self, thing: K) -> float:
        return min([self._before[thing], *self._asked[thing].values()])
