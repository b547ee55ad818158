"""Anti-entropy: replicas compare their Merkle trees in turn, and send each other what the other one lacks.

It finds what replication and read repair have missed: hints that expired, a lost disk, a write whose node died for good.
After G. DeCandia et al., "Dynamo: Amazon's Highly Available Key-value Store", SOSP 2007, section 4.7.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from systems.eventual.agreeing import Attempts
from systems.eventual.messages import fitting
from systems.eventual.peer import Peer
from systems.eventual.replica import Replica
from systems.eventual.storage import Arrival, Storage

KEYS_AT_ONCE: Final = 64
RANGES_AT_ONCE: Final = 64


class AntiEntropy:
    """Makes this replica and others agree."""

    def __init__(self, replica: Replica, storage: Storage, clock: Callable[[], float], *, keys_per_s: float) -> None:
        """Repairs at most `keys_per_s` keys a second, so that repair leaves capacity for clients."""
        self._replica = replica
        self._storage = storage
        self._clock = clock
        self._pause_s = KEYS_AT_ONCE / keys_per_s
        self.attempts = Attempts()

    async def agree_with(self, peer: Peer) -> bool:
        """Compare with a peer and repair both sides; False if the peer stops answering, or a disk fails."""
        attempt, agreed = self.attempts.begin(peer.name), False
        try:
            agreed = await self._agreed(peer)
        finally:
            self.attempts.end(attempt, agreed=agreed)
        return agreed

    async def _agreed(self, peer: Peer) -> bool:
        asking = [""]
        while asking:
            now, asking = asking[:RANGES_AT_ONCE], asking[RANGES_AT_ONCE:]
            ranges = await peer.ranges(now)
            if ranges is None:
                return False
            keys: list[str] = []
            for found in ranges:
                further, differing = self._replica.tree.compare(found)
                asking += further
                keys += differing
            for at in range(0, len(keys), KEYS_AT_ONCE):
                if not await self.repair(peer, keys[at : at + KEYS_AT_ONCE]):
                    return False
                await asyncio.sleep(self._pause_s)
        return await self.tell_of_tombstones(peer)

    async def repair(self, peer: Peer, keys: Sequence[str]) -> bool:
        """Make both hold the same states of these keys, unless the keys are written meanwhile."""
        graves = self._replica.graves
        asked = graves.window(self._clock())
        theirs = await peer.states(keys)
        if theirs is None or not graves.in_time(asked, self._clock()):
            return False
        keys, left = keys[: len(theirs)], keys[len(theirs) :]
        arrivals = [Arrival(key, state, fresh=False) for key, state in zip(keys, theirs, strict=True) if state is not None]
        if arrivals:
            outcome, _ = await self._storage.change(arrivals)
            if outcome != "done":
                return False
        given = await self.give(peer, [key for key, _ in self._replica.differing(keys, theirs)])
        return given and (not left or await self.repair(peer, left))

    async def give(self, peer: Peer, keys: Sequence[str]) -> bool:
        """Send a peer what this replica holds of these keys; whether it has that now."""
        while keys:
            now = keys[: fitting([self._replica.state(key) for key in keys], peer.most)]
            told_s = self._clock()
            states = await peer.store(now, self._replica.state, fresh=False)
            if states is None:
                return False
            now_s = self._clock()
            for key, state in states:
                self._replica.graves.had(peer.name, key, state, told_s, now_s)
            keys = keys[len(now) :]
        return True

    async def tell_of_tombstones(self, peer: Peer) -> bool:
        """Send a peer the tombstones that it may not have had, or has to be told of once more before they are dropped."""
        keys = self._replica.graves.untold(peer.name, self._clock())
        for at in range(0, len(keys), KEYS_AT_ONCE):
            if not await self.give(peer, keys[at : at + KEYS_AT_ONCE]):
                return False
            await asyncio.sleep(self._pause_s)
        return True
