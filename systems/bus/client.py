"""How producers and consumers reach the bus."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from harness.http.message import TransportError
from harness.model.system import Address, Answer, Call, CallFailed
from systems.bus.messages import (
    LEASES_PATH,
    PRODUCERS_PATH,
    TOPICS_PATH,
    Ack,
    Poll,
    Publish,
    Registered,
    Settled,
    Taken,
)
from systems.raft.finding import LeaderFinder, told

TAKE_S: Final = 0.8
"""A consumer tries to get a message for this long, and then certainly has none: a lease it does not know of will expire."""

_LOOK_AGAIN_S: Final = 0.02


class BusClient:
    """Publishes as a numbered producer, so that a message sent again is added only once; receives one message and settles it.

    A message counts as received if its lease still held when it was settled: then no other consumer gets it.
    """

    def __init__(self, index: int, entries: Sequence[tuple[str, Address]]) -> None:
        self._finder = LeaderFinder(index, entries)
        self._producer = self._sequence = 0

    @property
    def attempts(self) -> int:
        return max(1, self._finder.attempts)

    async def invoke(self, call: Call) -> Answer:
        self._finder.attempts = 0
        topic, _, rest = call.key.partition("/")
        match call.kind:
            case "publish" if call.value is not None:
                return Answer(None, await self._publish(topic, rest, call.value))
            case "receive" if rest:
                return await self._receive(topic, rest)
        raise CallFailed(f'there are publish of "topic/key" and receive of "topic/group"; this call is {call}')

    async def close(self) -> None:
        self._finder.close()

    async def _publish(self, topic: str, key: str, message: str) -> str:
        if not self._producer:
            _, registered = await self._finder.ask("POST", PRODUCERS_PATH)
            self._producer, self._sequence = registered.decode(Registered).producer, 0
        self._sequence += 1
        publish = Publish(key=key, message=message, producer=self._producer, sequence=self._sequence)
        name, response = await self._finder.ask("POST", TOPICS_PATH + quote(topic, safe=""), msgspec.json.encode(publish))
        if response.status == 410:
            self._producer = 0
            raise TransportError(told(name, response))
        return name

    async def _receive(self, topic: str, group: str) -> Answer:
        try:
            async with asyncio.timeout(TAKE_S):
                name, taken = await self._take(topic, group)
        except TimeoutError:
            raise CallFailed(f"nothing was leased within {TAKE_S:g} s") from None
        if not taken.messages:
            return Answer(None, name)
        ack = msgspec.json.encode(Ack(topic=topic, group=group, lease=taken.lease))
        name, response = await self._finder.ask("POST", LEASES_PATH, ack)
        if not response.decode(Settled).held:
            raise CallFailed(f"{name}: the lease had expired, and the message is delivered again")
        return Answer(taken.messages[0], name)

    async def _take(self, topic: str, group: str) -> tuple[str, Taken]:
        """Lease a message; the answer has none if there is none. Waits while other consumers have leased all."""
        path = f"{TOPICS_PATH}{quote(topic, safe='')}/{quote(group, safe='')}"
        while True:
            name, response = await self._finder.ask("POST", path, msgspec.json.encode(Poll(most=1)))
            taken = response.decode(Taken)
            if not taken.busy:
                return name, taken
            await asyncio.sleep(_LOOK_AGAIN_S)
