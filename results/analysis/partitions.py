"""Who owned which partitions of a partitioned store, from the maps that its coordinator reported."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from harness.model.history import History
from harness.model.node_events import BrokenEvent, told
from harness.model.partition_events import Copied, ToldMap, ToldPartition

_BITS: Final = 64
_DIGITS: Final = _BITS // 4
_HEX: Final = re.compile("[0-9a-fA-F]*")


@dataclass(frozen=True, kw_only=True)
class Ownership:
    """One map: where each partition begins on a ring from 0 to 1, and its owners, the primary first."""

    epoch: int
    at_ns: int
    lows: tuple[str, ...]
    begins: tuple[float, ...]
    owners: tuple[tuple[str, ...], ...]

    def ends(self, number: int) -> float:
        return self.begins[number + 1] if number + 1 < len(self.begins) else 1.0

    def owner_at(self, low: str) -> str:
        """The primary owner of the partition that holds a position."""
        return self.owners[max(number for number, begin in enumerate(self.lows) if begin <= low)][0]

    @property
    def held(self) -> Mapping[str, float]:
        """By node, the share of the ring of which it is the primary owner."""
        shares: Counter[str] = Counter()
        for number, owners in enumerate(self.owners):
            shares[owners[0]] += self.ends(number) - self.begins[number]  # type: ignore[assignment]  # adds any numbers
        return shares


@dataclass(frozen=True, kw_only=True)
class Division:
    """How a store was partitioned at the beginning and at the end, and how much each node copied in between."""

    before: Ownership
    after: Ownership
    copied_bytes: Mapping[str, int]
    epochs: int


def division(history: History) -> Division | None:
    """The first and the last map; None if none was reported, if an event cannot be read, or if a place has no owner."""
    try:
        maps = told(history, {"map": ToldMap})
        copies = told(history, {"copied": Copied})
    except BrokenEvent:
        return None
    if not maps or not maps[0].event.whole:
        return None
    now: dict[str, ToldPartition] = {}
    first: Ownership | None = None
    for each in maps:
        if each.event.whole:
            now = {}
        now.update({partition.low: partition for partition in each.event.partitions})
        if first is None:
            first = _ownership(each.event, each.at_ns, now)
    last = _ownership(maps[-1].event, maps[-1].at_ns, now)
    if first is None or last is None or min(first.lows) > min(last.lows):
        return None
    copied: Counter[str] = Counter()
    for copy in copies:
        copied[copy.node] += copy.event.taken_bytes
    return Division(before=first, after=last, copied_bytes=copied, epochs=len(maps))


def _ownership(event: ToldMap, at_ns: int, now: Mapping[str, ToldPartition]) -> Ownership | None:
    """What a map says; None if it has no partitions, one without an owner, or one of which it is not known where it begins."""
    lows = sorted(now)
    if not lows or not all(now[low].owners for low in lows):
        return None
    if event.method != "range" and not all(_HEX.fullmatch(low[:_DIGITS]) for low in lows):
        return None
    if event.method == "range":  # how many keys lie between two boundaries is not known: all ranges are drawn alike
        begins = [number / len(lows) for number in range(len(lows))]
    else:
        begins = [int(low.ljust(_DIGITS, "0")[:_DIGITS], 16) / (1 << _BITS) for low in lows]
    return Ownership(
        epoch=event.epoch,
        at_ns=at_ns,
        lows=tuple(lows),
        begins=tuple(begins),
        owners=tuple(tuple(now[low].owners) for low in lows),
    )
