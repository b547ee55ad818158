"""Reads and writes of registers, every written value its own, so that a history of them can be judged exactly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from random import Random
from typing import Final

from harness.model.errors import UsageError
from harness.model.system import Call

FINAL_READS: Final = 3
"""How often each key is read at the end: clients take these calls in turn, so that replicas which disagree are found out."""


@dataclass(frozen=True, kw_only=True)
class Registers:
    """Reads and writes of `keys` registers, drawn evenly; `writes` is the share of writes."""

    keys: int = 20
    writes: float = 0.5

    def __post_init__(self) -> None:
        if self.keys < 1:
            raise UsageError(f"Registers(keys={self.keys!r}): a whole number of keys, at least one.")
        if not 0 <= self.writes <= 1:
            raise UsageError(f"Registers(writes={self.writes!r}): the share of writes, between 0 and 1.")

    def calls(self, random: Random) -> Iterator[Call]:
        for number in count(1):
            key = f"r{random.randrange(self.keys)}"
            yield Call("write", key, str(number)) if random.random() < self.writes else Call("read", key)

    def varied(self, random: Random) -> Registers:
        """Fewer keys: more happens to each."""
        return replace(self, keys=random.choice((1, min(2, self.keys), min(6, self.keys), self.keys)))

    def final_calls(self) -> Iterable[Call]:
        return [Call("read", f"r{number}") for number in range(self.keys) for _ in range(FINAL_READS)]
