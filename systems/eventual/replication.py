"""Sends each peer the writes that it lacks, in batches, one after another; again and again if it does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from systems.eventual.messages import State, fitting
from systems.eventual.outbox import Outbox
from systems.eventual.peer import Peer
from systems.eventual.replica import Replica
from systems.parts.hints import Hint

BATCH: Final = 128

AGAIN_S: Final = 0.1
"""How long to wait before trying a peer again that did not answer."""


class Replicator:
    """Empties the outbox."""

    def __init__(self, replica: Replica, outbox: Outbox, clock: Callable[[], float]) -> None:
        self._replica = replica
        self._outbox = outbox
        self._clock = clock

    async def tell(self, peer: Peer) -> None:
        """Send a peer all its hints, until cancelled."""
        while True:
            hints = self._outbox.oldest(peer.name, BATCH)
            if not hints:
                await self._outbox.waiting[peer.name].wait()
            elif not await self.hand_over(peer, hints):
                self.failed(peer, hints)
                await asyncio.sleep(AGAIN_S)

    async def hand_over(self, peer: Peer, hints: list[Hint[State]]) -> bool:
        """Send a peer the current states of these keys, which may be newer than the hints; whether it has stored them."""
        hints = hints[: fitting([self._replica.state(hint.key) for hint in hints], peer.most)]
        told_s = self._clock()
        states = await peer.store([hint.key for hint in hints], self._replica.state, fresh=True)
        if states is None:
            return False
        now_s = self._clock()
        for hint in hints:
            self._outbox.delivered(peer.name, hint, now_s)
        for key, state in states:
            self._replica.graves.had(peer.name, key, state, told_s, now_s)
        return True

    def failed(self, peer: Peer, hints: list[Hint[State]]) -> None:
        """A peer has not stored these hints: they stay."""
