"""Copies arriving partitions in the background: a few at a time, at a limited rate, until each copy is complete."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Final

from harness.node.context import NodeContext
from systems.partitioned.bugs import Rules
from systems.partitioned.copying import Copy, move_of
from systems.partitioned.messages import PULL_PATH, Pulled
from systems.partitioned.partition_map import PartitionMap
from systems.partitioned.peer import Peer
from systems.partitioned.rate_rules import Pulling
from systems.partitioned.storage import Storage, size_of

ANSWER_S: Final = 0.5
AGAIN_S: Final = 0.02
"""A pause before asking owners again that did not answer."""
_MIB: Final = 1 << 20


class Limiter:
    """Limits the average rate of bytes; unused capacity is not saved."""

    def __init__(self, clock: NodeContext, bytes_per_s: float) -> None:
        self._clock = clock.clock
        self._bytes_per_s = bytes_per_s
        self._free_at_s = 0.0

    def count(self, size_bytes: int) -> None:
        """This many bytes were transferred."""
        self._free_at_s = max(self._free_at_s, self._clock()) + size_bytes / self._bytes_per_s

    async def free(self) -> None:
        """Return when the bytes so far have taken as long as the rate requires."""
        if (wait_s := self._free_at_s - self._clock()) > 0:
            await asyncio.sleep(wait_s)


class Puller:
    """All copies that a node makes."""

    def __init__(
        self,
        node: NodeContext,
        storage: Storage,
        peers: Mapping[str, Peer],
        batch_bytes: int,
        rate_mb_per_s: float,
        rules: Rules,
    ) -> None:
        self._node = node
        self._storage = storage
        self._peers = peers
        self._batch_bytes = batch_bytes
        self._bytes_per_s = rate_mb_per_s * _MIB
        self._limiter = Limiter(node, self._bytes_per_s)
        self._rules = rules
        self._pulled_bytes = self._largest_bytes = 0
        self._making = 0
        self._copies: dict[tuple[str, int], Copy] = {}
        self._tasks: dict[tuple[str, int], asyncio.Task[None]] = {}

    @property
    def under_way(self) -> int:
        """How many copies really are being made, also those that should have ended."""
        return self._making

    def shown(self) -> Pulling:
        return Pulling(
            now_s=self._node.clock(),
            pulled_bytes=self._pulled_bytes,
            largest_bytes=self._largest_bytes,
            bytes_per_s=self._bytes_per_s,
        )

    def whole(self) -> list[tuple[str, int]]:
        """The moves whose copies this node has completed."""
        return [which for which, copy in self._copies.items() if copy.whole]

    def go_by(self, now: PartitionMap) -> None:
        """Make the copies that a map asks for, and no others."""
        wanted = {(one.low, one.move): one for one in now.moving if self._node.name in one.arriving}
        for which in [which for which in self._tasks if which not in wanted]:
            self._tasks.pop(which).cancel()
        self._copies = {which: copy for which, copy in self._copies.items() if which in wanted}
        for which, partition in wanted.items():
            if which not in self._copies:
                self._copies[which] = Copy(partition, self._storage.notes, self._rules)
                task = self._tasks[which] = asyncio.create_task(self._make(self._copies[which]))
                task.add_done_callback(partial(self._over, which))

    def _over(self, which: tuple[str, int], done: asyncio.Task[None]) -> None:
        if self._tasks.get(which) is done:
            del self._tasks[which]
        if not done.cancelled() and (error := done.exception()) is not None:
            self._node.log(f"the copy of {which} ended: {error!r}")

    async def _make(self, copy: Copy) -> None:
        """Return when the copy is complete."""
        self._making += 1
        try:
            await self._forget_notes()
            while not copy.whole:
                took = False
                for source in copy.sources():
                    took = await self._take_part(copy, source)
                    if took:
                        break
                if not took:
                    await asyncio.sleep(AGAIN_S)
        finally:
            self._making -= 1
        taken_bytes, of_bytes = copy.measured()
        self._node.event("copied", {"low": copy.low, "move": copy.move, "taken_bytes": taken_bytes, "of_bytes": of_bytes})

    async def _take_part(self, copy: Copy, source: str) -> bool:
        """Get the next part from an owner and store it; whether that succeeded."""
        await self._limiter.free()
        part = await self._peers[source].ask(PULL_PATH, copy.request(source, self._batch_bytes), Pulled, ANSWER_S)
        if not isinstance(part, Pulled):
            return False
        size_bytes = sum(map(size_of, part.held))
        self._pulled_bytes += size_bytes
        self._largest_bytes = max(self._largest_bytes, size_bytes)
        self._limiter.count(size_bytes)  # though the disk may not take it
        note, text = copy.with_part(source, part)
        if self._rules.noted_with_what_was_copied:
            if not await self._storage.put(part.held, {note: text}):
                return False
        else:
            await self._storage.put([], {note: text})
            await self._limiter.free()
            await self._storage.put(part.held)
        copy.took(source, text)
        return True

    async def _forget_notes(self) -> None:
        """Remove the notes of moves that are over."""
        old = [note for note in self._storage.notes if move_of(note) not in self._copies]
        if old:
            await self._storage.put([], dict.fromkeys(old))
