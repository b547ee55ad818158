"""Another replica, as a node reaches it over its link."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import msgspec

from harness.http.message import TransportError
from harness.model.system import Address
from systems.eventual.messages import (
    MOST_BATCH_BYTES,
    RANGES_PATH,
    STATES_PATH,
    STORE_PATH,
    AskRanges,
    AskStates,
    Held,
    HeldList,
    Ranges,
    State,
    Store,
    Stored,
)
from systems.parts.merkle import Range
from systems.parts.owner import Owner
from systems.parts.pace import Pace
from systems.parts.sealing import SealedClient

ANSWER_S: Final = 0.35
"""How long a node waits for a peer's answer."""

MOST_IN_FLIGHT: Final = 32
"""At most this many requests to a peer at a time; further ones are not sent, as if the network had lost them."""

_FIRST_BYTES: Final = 64 * 1024
"""So much is sent, or asked for, at first, and more once that gets through."""

T = TypeVar("T")


class Peer:
    """Sends requests to one peer. An answer is None if no usable one came; the peer may still have carried the request out."""

    def __init__(self, cluster: str, name: str, address: Address, *, checked: bool = True) -> None:
        self.name = name
        self._headers = Owner(cluster, name).headers
        self._client = SealedClient(address, checked=checked)
        self.in_flight = 0
        """How many requests have no answer yet."""
        self._window = 0
        self._pace = Pace(MOST_BATCH_BYTES, first=_FIRST_BYTES)
        self._pace_asked = Pace(MOST_BATCH_BYTES, first=_FIRST_BYTES)

    @property
    def most(self) -> int:
        """The size that brings a message to its end: so many bytes get through in time."""
        return self._pace.most

    async def store(
        self, keys: Sequence[str], held: Callable[[str], State | None], *, fresh: bool
    ) -> list[tuple[str, State]] | None:
        """Send the peer what is `held` of these keys; returns that once the peer has it, or what includes it, on its disk."""
        for _ in range(2):  # the first answer may only tell the current window
            # Not the same again: the answer may have come late, and a value have been deleted since.
            states = [(key, state) for key in keys if (state := held(key)) is not None]
            if not states:
                return states
            message = Store([Held.of(*each) for each in states], self._window, fresh)
            stored = await self._ask(STORE_PATH, message, Stored, self._pace)
            if stored is None:
                return None
            self._window = stored.window
            if stored.done:
                return states
        return None

    async def states(self, keys: Sequence[str]) -> list[State | None] | None:
        """What the peer holds of these keys; only of the first ones if they do not fit into one message, or not in time."""
        question = AskStates(list(keys), self._pace_asked.most)
        most = question.most if len(keys) > 1 else 0  # one cannot be fewer
        found = await self._ask(STATES_PATH, question, HeldList, self._pace_asked, answer_bytes=most)
        if not found or [held.key for held in found] != list(keys)[: len(found)]:
            return None
        return [held.state for held in found]

    async def ranges(self, prefixes: Sequence[str]) -> list[Range] | None:
        """These ranges of the peer's Merkle tree."""
        return await self._ask(RANGES_PATH, AskRanges(list(prefixes)), Ranges, self._pace_asked)

    async def _ask(self, path: str, question: object, kind: type[T], pace: Pace, *, answer_bytes: int = 0) -> T | None:
        if self.in_flight >= MOST_IN_FLIGHT:
            return None
        self.in_flight += 1
        body = msgspec.json.encode(question)
        try:
            with pace.timed(len(body) + answer_bytes, ANSWER_S) as exchanged:
                response = await self._client.request("POST", path, body, timeout_s=ANSWER_S, headers=self._headers)
                exchanged.size = len(body) + len(response.body)
            return response.decode(kind) if response.status == 200 else None
        except (TransportError, msgspec.MsgspecError):
            return None
        finally:
            self.in_flight -= 1
