"""Registers to which no value is written twice, so that a history of them can be judged exactly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from random import Random
from typing import Final

import msgspec

from harness.model.errors import UsageError
from harness.model.system import Call

FINAL_READS: Final = 3
"""How often each key is read at the end: clients take these calls in turn, so that replicas that disagree are found."""

LEAST_FINAL_READS: Final = 60
"""Of all keys together: with few keys, each is read more often, so that clients of different nodes read it."""

_UNUSUAL: Final = ("", " ", "null", "0", "[]", "false")
"""Values that a careless program takes for none, or for something else; each is written at most once to a register."""

_UNUSUAL_TEXT: Final = " /%2F?a=b&c#\"'\\é🙂"
_LONG: Final = 3000
"""The length of a long value: several packets, and more than a small log holds before it is compacted."""


@dataclass(frozen=True, kw_only=True)
class Registers:
    """Calls on `keys` registers, drawn evenly: shares of writes, compare-and-sets and deletes; the rest are reads.

    Kinds and values are those of `harness.model.objects.register`. A compare-and-set expects what the last call that changed
    its register would leave there, so it often succeeds, unless that call failed or another one came in between. `rivals`
    compare-and-sets in a row expect the same value, so at most one of them succeeds. `unusual`: some keys and values are long,
    empty, or must be quoted or encoded.
    """

    keys: int = 20
    writes: float = 0.5
    compare_and_sets: float = 0.0
    deletes: float = 0.0
    rivals: int = 1
    unusual: bool = False

    def __post_init__(self) -> None:
        if self.keys < 1:
            raise UsageError(f"Registers(keys={self.keys!r}): must be a whole number of keys, at least 1.")
        if self.rivals < 1:
            raise UsageError(f"Registers(rivals={self.rivals!r}): must be a whole number of compare-and-sets, at least 1.")
        if not 0 <= self.writes <= 1:
            raise UsageError(f"Registers(writes={self.writes!r}): must be the share of writes, between 0 and 1.")
        shares = (self.writes, self.compare_and_sets, self.deletes)
        if not (min(shares) >= 0 and sum(shares) <= 1):
            raise UsageError(
                f"Registers(writes={self.writes!r}, compare_and_sets={self.compare_and_sets!r}, deletes={self.deletes!r}):"
                " must be shares of calls, together at most 1."
            )

    def calls(self, random: Random) -> Iterator[Call]:
        left: dict[str, str | None] = {}
        """What each register holds if every call was carried out in this order; of rivals, only the first."""
        rivals: dict[str, tuple[str | None, int]] = {}
        """What the current rivals expect, and how many there have been."""
        unwritten: dict[str, list[str]] = {}
        """The unusual values of each register that have not been written to it."""
        for number in count(1):
            key, drawn = self._key(random.randrange(self.keys)), random.random()
            value = str(number)
            if self.unusual:
                value = _unusual(random, value, unwritten.setdefault(key, list(_UNUSUAL)))
            if drawn < self.writes:
                left[key] = value
                yield Call("write", key, value)
            elif drawn < self.writes + self.compare_and_sets:
                expected, number_of = rivals.get(key, (None, self.rivals))
                if number_of == self.rivals:
                    expected, number_of = left.get(key), 0
                    left[key] = value
                rivals[key] = (expected, number_of + 1)
                yield Call("cas", key, msgspec.json.encode([expected, value]).decode())
            elif drawn < self.writes + self.compare_and_sets + self.deletes:
                left[key] = None
                yield Call("delete", key)
            else:
                yield Call("read", key)

    def varied(self, random: Random) -> Registers:
        """Fewer keys: more happens to each. Or unusual ones."""
        if self.compare_and_sets or self.deletes:  # an order is searched for, which is hard for many such calls on one key
            keys = random.choice((min(6, self.keys), self.keys))
        else:
            keys = random.choice((1, min(2, self.keys), min(6, self.keys), self.keys))
        return replace(self, keys=keys, unusual=self.unusual or random.random() < 0.3)

    def final_calls(self) -> Iterable[Call]:
        reads = max(FINAL_READS, LEAST_FINAL_READS // self.keys)
        return [Call("read", self._key(number)) for number in range(self.keys) for _ in range(reads)]

    def _key(self, number: int) -> str:
        return f"r{number}{_UNUSUAL_TEXT}" if self.unusual and number % 2 else f"r{number}"


def _unusual(random: Random, value: str, unwritten: list[str]) -> str:
    """Perhaps another value, which is never written twice either."""
    drawn = random.random()
    if drawn < 0.2 and unwritten:
        return unwritten.pop(0)
    if drawn < 0.3:
        return value + random.choice((_UNUSUAL_TEXT, "-" * _LONG))
    return value
