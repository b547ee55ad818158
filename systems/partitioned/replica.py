"""What a node does as a replica: it answers for what it holds, under the epochs it knows, and hands out what moves away."""

from __future__ import annotations

from systems.partitioned.bugs import Rules
from systems.partitioned.known_map import KnownMap
from systems.partitioned.messages import Entry, Held, Places, Pulled, PullRequest, Query, Refusal, Store
from systems.partitioned.storage import Storage, size_of


class Replica:
    """Answers whoever carries out an operation, which may be this node, and whoever copies a partition."""

    def __init__(self, storage: Storage, known: KnownMap, rules: Rules) -> None:
        self._storage = storage
        self._known = known
        self._rules = rules

    async def answer(self, request: Query | Store) -> Entry | Refusal | None:
        """What this node holds when it has done what was asked; None if its disk did not take it."""
        refusal = self.refused(request.place, request.epoch)
        if refusal is not None:
            return refusal
        if isinstance(request, Store) and not await self._storage.put([Held(request.place, request.entry)]):
            return None
        # Writing took its time. What is stored under an epoch that is over does no harm; but it must not count.
        return self.refused(request.place, request.epoch) or self._storage.entry(request.place)

    def refused(self, place: str, epoch: int) -> Refusal | None:
        """Why nothing is done about a request for a position, which is made under an epoch of its partition."""
        now = self._known.map
        if now is None:
            return Refusal(0, "it has no map yet")
        if self._rules.epochs_checked and now.partition_at(place).epoch != epoch:
            return Refusal(now.epoch, "its partition has another epoch")
        return None

    def places(self, asked: Places) -> list[str]:
        """The positions at which it holds something, whatever the epoch."""
        places: list[str] = []
        for held in self._storage.between(asked.low, asked.high):
            places.append(held.place)
            if len(places) >= asked.limit:
                break
        return places

    def hand_out(self, request: PullRequest) -> Pulled | Refusal:
        """The next part of a partition that moves away from here."""
        now = self._known.map
        if now is None:
            return Refusal(0, "here it does not move")
        number = now.number_at(request.low)
        partition = now.partitions[number]
        fenced = partition.low == request.low and partition.move == request.move
        if self._rules.copies_are_fenced and not fenced:
            return Refusal(now.epoch, "here it does not move")
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
