"""The connection to another node of the group: one request at a time, which carries all waiting messages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from harness.http.message import TransportError
from harness.model.system import Address
from systems.parts.pace import Pace
from systems.parts.sealing import SealedClient
from systems.raft.core.messages import Message
from systems.raft.core.recovery import Told
from systems.raft.core.state import Timing
from systems.raft.messages import RAFT_PATH, Batch, Status


class Peer:
    """Another node. Messages of a failed request are lost: the protocol resends what matters."""

    def __init__(self, address: Address, timing: Timing, *, cluster: str, name: str, checked: bool = True) -> None:
        """`name` is this node's own. `checked`: whether answers that were damaged on their way are lost."""
        self._client = SealedClient(address, checked=checked)
        self._cluster = cluster
        self._name = name
        self._timeout_s = timing.election_ms / 1e3
        self._pace = Pace(max(timing.in_flight_bytes, timing.batch_bytes, timing.piece))
        self._waiting: list[Message] = []
        self._awake = asyncio.Event()

    def send(self, message: Message) -> None:
        self._waiting.append(message)
        self._awake.set()

    def take(self) -> list[Message]:
        """Remove and return the waiting messages, for an answer that goes to the peer anyway."""
        waiting, self._waiting = self._waiting, []
        self._awake.clear()
        return waiting

    async def carry(self, receive: Callable[[Message], None], limit: Callable[[int], None]) -> None:
        """Send messages as they arrive, pass on those in the answers, until cancelled.

        `limit` is told how much to send at once from now on, in bytes, whenever that changes.
        """
        while True:
            await self._awake.wait()
            messages = self.take()
            if not messages:
                continue
            body = msgspec.json.encode(Batch(self._cluster, self._name, messages))
            most = self._pace.most
            try:
                with self._pace.timed(len(body), self._timeout_s):
                    response = await self._client.request("POST", RAFT_PATH, body, timeout_s=self._timeout_s)
                    received = response.decode(list[Message]) if response.status == 200 else []
            except TransportError:
                self.take()  # messages that queued behind a failed request are stale
                received = []
            if self._pace.most != most:
                limit(self._pace.most)
            for message in received:
                receive(message)

    async def tell(self, name: str) -> Told | None:
        """What the node of this name tells one whose disk was damaged; None if it does not answer, or does not know itself, or
        if another node answers at its address."""
        try:
            response = await self._client.request("GET", RAFT_PATH, timeout_s=self._timeout_s)
            status = response.decode(Status) if response.status == 200 else None
        except TransportError:
            return None
        if status is None or (status.cluster, status.name) != (self._cluster, name):
            return None
        return status.told
