"""Another node of the group, as this one reaches it: one request at a time, which takes all messages that wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from harness.http.client import HttpClient
from harness.http.message import TransportError
from harness.model.system import Address
from systems.raft.core.messages import Message
from systems.raft.core.recovery import Told
from systems.raft.messages import RAFT_PATH, Batch, Status


class Peer:
    """See the module. Messages that a request does not get across are lost: the protocol sends again what matters."""

    def __init__(self, address: Address, *, cluster: str, name: str, timeout_s: float) -> None:
        """`name` is this node's own."""
        self._client = HttpClient(address)
        self._cluster = cluster
        self._name = name
        self._timeout_s = timeout_s
        self._waiting: list[Message] = []
        self._awake = asyncio.Event()

    def send(self, message: Message) -> None:
        self._waiting.append(message)
        self._awake.set()

    def take(self) -> list[Message]:
        """The messages that wait, for an answer that goes there anyhow."""
        waiting, self._waiting = self._waiting, []
        self._awake.clear()
        return waiting

    async def carry(self, receive: Callable[[Message], None]) -> None:
        """Send messages as they come, and hand over those that are answered, until cancelled."""
        while True:
            await self._awake.wait()
            messages = self.take()
            if not messages:
                continue
            body = msgspec.json.encode(Batch(self._cluster, self._name, messages))
            try:
                response = await self._client.request("POST", RAFT_PATH, body, timeout_s=self._timeout_s)
            except TransportError:
                self.take()  # what has gathered behind a request that was not answered is old
                continue
            if response.status == 200:
                for message in msgspec.json.decode(response.body, type=list[Message]):
                    receive(message)

    async def tell(self) -> Told | None:
        """What the node tells one whose disk was damaged; None if it does not answer, or does not know."""
        try:
            response = await self._client.request("GET", RAFT_PATH, timeout_s=self._timeout_s)
        except TransportError:
            return None
        return response.decode(Status).told if response.status == 200 else None
