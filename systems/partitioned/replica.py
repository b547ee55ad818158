"""A node as a replica: it answers for what it holds, under the epochs it knows, and hands out partitions that move away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from typing import Protocol

from systems.partitioned.bugs import Rules
from systems.partitioned.messages import Entry, Held, Places, Pulled, PullRequest, Query, Refusal, Store
from systems.partitioned.partition_map import PartitionMap
from systems.partitioned.storage import size_of


class Holds(Protocol):
    """What a node holds: a `Storage`."""

    def entry(self, place: str) -> Entry: ...

    async def put(self, held: Sequence[Held]) -> bool: ...

    def between(self, low: str, high: str | None, after: str = "") -> Iterator[Held]: ...


class Knows(Protocol):
    """What a node goes by: a `KnownMap`."""

    @property
    def map(self) -> PartitionMap | None: ...


class Replica:
    """Answers nodes that carry out operations, perhaps this one, and nodes that copy partitions."""

    def __init__(self, storage: Holds, known: Knows, rules: Rules) -> None:
        self._storage = storage
        self._known = known
        self._rules = rules

    def imagined(self, storage: Holds, known: Knows) -> Replica:
        """The same one with other things to hold, and another map to go by."""
        other = copy(self)
        other._storage, other._known = storage, known
        return other

    async def answer(self, request: Query | Store) -> Entry | Refusal | None:
        """Carry out a request, and return what this node then holds; None if its disk fails."""
        refusal = self.refused(request.place, request.epoch)
        if refusal is not None:
            return refusal
        if isinstance(request, Store) and not await self._storage.put([Held(request.place, request.entry)]):
            return None
        # The epoch may have ended during the write. What was stored does no harm then, but must not count.
        return self.refused(request.place, request.epoch) or self._storage.entry(request.place)

    def refused(self, place: str, epoch: int) -> Refusal | None:
        """Why this node refuses a request for a position under an epoch of its partition; None if it does not."""
        now = self._known.map
        if now is None:
            return Refusal(0, "the node has no map yet")
        if self._rules.epochs_checked and now.partition_at(place).epoch != epoch:
            return Refusal(now.epoch, "the partition has another epoch here")
        return None

    def places(self, asked: Places) -> list[str]:
        """The positions at which this node holds something, in any epoch."""
        places: list[str] = []
        for held in self._storage.between(asked.low, asked.high):
            places.append(held.place)
            if len(places) >= asked.limit:
                break
        return places

    def hand_out(self, request: PullRequest) -> Pulled | Refusal:
        """The next part of a partition that moves away from this node."""
        now = self._known.map
        if now is None:
            return Refusal(0, "the partition is not moving here")
        number = now.number_at(request.low)
        partition = now.partitions[number]
        fenced = partition.low == request.low and partition.move == request.move
        if self._rules.copies_are_fenced and not fenced:
            return Refusal(now.epoch, "the partition is not moving here")
        high, of_bytes = now.high_of(number), None
        if not request.after:
            of_bytes = sum(size_of(held) for held in self._storage.between(partition.low, high) if self._moves(held))
        part: list[Held] = []
        taken_bytes = 0
        done = True
        for held in self._storage.between(partition.low, high, request.after or self._rules.copied_after(partition.low)):
            if not self._moves(held):
                continue
            if taken_bytes >= request.limit_bytes and part:
                done = False
                break
            part.append(held)
            taken_bytes += size_of(held)
        return Pulled(part, done, of_bytes)

    def _moves(self, held: Held) -> bool:
        return held.entry.value is not None or self._rules.tombstones_move
