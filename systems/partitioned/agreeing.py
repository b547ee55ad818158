"""Brings a node and others to the same map, the newer one, also without the coordinator."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from systems.partitioned.known_map import KnownMap
from systems.partitioned.messages import MAP_PATH, Beat, Refusal
from systems.partitioned.operations import ANSWER_S
from systems.partitioned.partition_map import PartitionMap
from systems.partitioned.peer import Peer

AGREED_S: Final = 0.005
"""A pause after two nodes have exchanged maps, in case the disk of one of them fails."""


class Agreeing:
    """The exchanges of maps that a node has under way: one with a node at a time."""

    def __init__(self, peers: Mapping[str, Peer], known: KnownMap, install: Callable[[PartitionMap], None]) -> None:
        self._peers = peers
        self._known = known
        self._install = install
        self._exchanges: dict[str, asyncio.Future[None]] = {}

    @property
    def under_way(self) -> int:
        return len(self._exchanges)

    async def refused(self, name: str, refusal: Refusal) -> None:
        """A node refused a request of this one: bring the one that is behind to the newer map."""
        if self._known.map is not None and refusal.epoch != self._known.epoch:
            await asyncio.shield(self._exchange(name, refusal.epoch))

    def referred_to(self, name: str) -> None:
        """A client was told to ask another node. That may refer it back, by another map: so the two have to agree."""
        if name in self._peers:
            self._exchange(name, self._known.epoch)

    def _exchange(self, name: str, epoch: int) -> asyncio.Future[None]:
        if name not in self._exchanges:
            self._exchanges[name] = asyncio.ensure_future(self._exchange_with(self._peers[name], epoch))
            self._exchanges[name].add_done_callback(lambda _: self._exchanges.pop(name))
        return self._exchanges[name]

    async def _exchange_with(self, peer: Peer, epoch: int) -> None:
        """Exchange maps with a node that, as far as this one knows, uses this epoch."""
        known = self._known
        offered = known.map if epoch < known.epoch else None
        told = await peer.ask(MAP_PATH, Beat(known.epoch, offered), Beat, ANSWER_S)
        if isinstance(told, Beat) and told.map is not None:
            self._install(told.map)
        elif isinstance(told, Beat) and told.epoch < known.epoch and offered is None:
            await peer.ask(MAP_PATH, Beat(known.epoch, known.map), Beat, ANSWER_S)
        await asyncio.sleep(AGREED_S)
