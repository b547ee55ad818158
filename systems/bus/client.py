"""How producers and consumers reach the bus."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from harness.http.message import TransportError
from harness.model.system import Address, Answer, Call, CallFailed, OutcomeUnknown
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
"""A consumer tries for this long to get a message while other consumers have leased all. It ends no request in the middle: the
lease that it might have been given would keep the messages from the others until it expires."""

_NO_LEADER_S: Final = 1.6
"""If no node answers for this long, the consumer certainly has no message: a lease it does not know of will expire."""

SETTLE_S: Final = 1.5
"""A consumer tries for this long to settle a lease. If it cannot, it has the messages, and others may get them, too."""

POLL_MOST: Final = 5
"""A `poll` takes at most this many messages."""

_LOOK_AGAIN_S: Final = 0.02


class BusClient:
    """Publishes as a numbered producer, so that a message sent again is added only once; receives messages and settles them.

    `receive` takes one message; `poll` takes several and gives them as a JSON array. Messages count as received if their lease
    still held when it was settled: then no other consumer gets them.
    """

    def __init__(self, index: int, entries: Sequence[tuple[str, Address]], publish_s: float | None = None) -> None:
        """`publish_s`: a message that is not acknowledged for this long is given up; None: never."""
        self._finder = LeaderFinder(index, entries)
        self._producer = self._sequence = 0
        self._publish_s = publish_s

    @property
    def attempts(self) -> int:
        return max(1, self._finder.attempts)

    async def invoke(self, call: Call) -> Answer:
        self._finder.attempts = 0
        topic, _, rest = call.key.partition("/")
        match call.kind:
            case "publish" if call.value is not None:
                try:
                    async with asyncio.timeout(self._publish_s):
                        return Answer(None, await self._publish(topic, rest, call.value))
                except TimeoutError:
                    raise TransportError(f"not acknowledged within {self._publish_s:g} s, and given up") from None
            case "receive" | "poll" if rest:
                return await self._receive(topic, rest, call.kind)
        raise CallFailed(f'there are publish of "topic/key", receive and poll of "topic/group"; this call is {call}')

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

    async def _receive(self, topic: str, group: str, kind: str) -> Answer:
        polls = kind == "poll"
        try:
            async with asyncio.timeout(_NO_LEADER_S):
                name, taken = await self._take(topic, group, POLL_MOST if polls else 1)
        except TimeoutError:
            raise CallFailed(f"no node leased anything within {_NO_LEADER_S:g} s") from None
        if taken.busy:
            raise CallFailed(f"nothing was leased within {TAKE_S:g} s")
        if not taken.messages:
            return Answer("[]" if polls else None, name)
        value = msgspec.json.encode(taken.messages).decode() if polls else taken.messages[0]
        ack = msgspec.json.encode(Ack(topic=topic, group=group, lease=taken.lease))
        try:
            async with asyncio.timeout(SETTLE_S):
                name, response = await self._finder.ask("POST", LEASES_PATH, ack)
        except TimeoutError:
            raise OutcomeUnknown(f"whether the lease was settled is not known after {SETTLE_S:g} s", value) from None
        if not response.decode(Settled).held:
            raise CallFailed(f"{name}: the lease had expired, and what was leased is delivered again")
        return Answer(value, name)

    async def _take(self, topic: str, group: str, most: int) -> tuple[str, Taken]:
        """Lease messages; the answer has none if there are none. Waits a while if other consumers have leased all."""
        give_up_s = asyncio.get_running_loop().time() + TAKE_S
        path = f"{TOPICS_PATH}{quote(topic, safe='')}/{quote(group, safe='')}"
        while True:
            name, response = await self._finder.ask("POST", path, msgspec.json.encode(Poll(most=most)))
            taken = response.decode(Taken)
            if not taken.busy or asyncio.get_running_loop().time() >= give_up_s:
                return name, taken
            await asyncio.sleep(_LOOK_AGAIN_S)
