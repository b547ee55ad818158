"""Limits that overlapping windows set on the same thing: the strictest holds, and the last to go puts back what was before."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Limits(Generic[K]):
    """Numbers, by the thing that they limit and the window that asks for them; less is stricter."""

    def __init__(self) -> None:
        self._asked: dict[K, dict[str, float]] = {}
        self._before: dict[K, float] = {}

    def take(self, thing: K, label: str, limit: float, before: float) -> float:
        """A window asks for a limit; the one that holds from now on. `before` counts if no window limits the thing yet."""
        self._before.setdefault(thing, before)
        self._asked.setdefault(thing, {})[label] = limit
        return self._holding(thing)

    def release(self, label: str) -> dict[K, float]:
        """A window lets go: for each thing that it limited, the limit that holds from now on."""
        changed = {}
        for thing in [thing for thing, asked in self._asked.items() if label in asked]:
            del self._asked[thing][label]
            changed[thing] = self._holding(thing)
            if not self._asked[thing]:
                del self._asked[thing], self._before[thing]
        return changed

    def _holding(self, thing: K) -> float:
        return min([self._before[thing], *self._asked[thing].values()])
