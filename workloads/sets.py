"""Sets that grow: every element is added once, so that a history of them shows which ones a store has lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from random import Random
from typing import Final

from harness.model.errors import UsageError
from harness.model.system import Call

FINAL_READS: Final = 3
"""How often each set is read at the end: clients take these calls in turn, so that replicas that disagree are found."""


@dataclass(frozen=True, kw_only=True)
class Sets:
    """Calls on `keys` sets, drawn evenly: shares of them add an element or delete the set, the rest read all elements."""

    keys: int = 10
    adds: float = 0.5
    deletes: float = 0.0

    def __post_init__(self) -> None:
        if self.keys < 1:
            raise UsageError(f"Sets(keys={self.keys!r}): must be a whole number of keys, at least 1.")
        if not 0 <= self.adds <= 1:
            raise UsageError(f"Sets(adds={self.adds!r}): must be the share of adds, between 0 and 1.")
        if not (self.deletes >= 0 and self.adds + self.deletes <= 1):
            raise UsageError(
                f"Sets(adds={self.adds!r}, deletes={self.deletes!r}): must be shares of calls, together at most 1."
            )

    def calls(self, random: Random) -> Iterator[Call]:
        for number in count(1):
            key, drawn = f"s{random.randrange(self.keys)}", random.random()
            if drawn < self.adds:
                yield Call("add", key, str(number))
            else:
                yield Call("delete" if drawn < self.adds + self.deletes else "read", key)

    def varied(self, random: Random) -> Sets:
        """Fewer keys: more happens to each."""
        return replace(self, keys=random.choice((min(3, self.keys), self.keys)))

    def final_calls(self) -> Iterable[Call]:
        return [Call("read", f"s{number}") for number in range(self.keys) for _ in range(FINAL_READS)]
