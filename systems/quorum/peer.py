"""Another node, as this one reaches it over its link. What is asked in one turn of the loop travels together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from harness.http.client import HttpClient
from harness.http.message import TransportError
from harness.model.system import Address
from systems.parts.merkle import Range
from systems.parts.owner import Owner
from systems.quorum.messages import (
    ENTRIES_PATH,
    RANGES_PATH,
    REPLICA_PATH,
    Accept,
    Entry,
    Keep,
    Prepare,
    Query,
    ReplicaRequest,
    Settled,
    Store,
)
from systems.quorum.replica import Held, Part

MAX_IN_FLIGHT: Final = 64
"""HTTP requests to a peer at a time; what is more is not sent, as if the network had lost it."""

SILENT_AFTER: Final = 4
MAX_IN_FLIGHT_SILENT: Final = 8
"""A peer without an answer to so many requests in a row is asked by fewer at a time, until it answers.

Each request to a peer that is cut off holds a connection until its time is over: they must not gather by the hundred.
"""

_MOST_TOGETHER: Final = 256
_MOST_BYTES_TOGETHER: Final = 4 * 1024 * 1024
"""An HTTP request with more would keep the others waiting."""

Answered = Callable[[Entry | None], None]
"""Takes what the replica then holds, or None if no answer came: the request may have been carried out all the same."""

_ANSWERS: Final = msgspec.json.Decoder(list[Entry | None])
_ENCODER: Final = msgspec.json.Encoder()


class _Asked(NamedTuple):
    request: ReplicaRequest
    answered: Answered


class Peer:
    """Asks one peer, over few connections if it does not answer."""

    def __init__(self, peer: Owner, address: Address, timeout_s: float) -> None:
        self._client = HttpClient(address)
        self._headers = peer.headers
        self._timeout_s = timeout_s
        self._waiting: list[_Asked] = []
        self._exchanges: set[asyncio.Task[None]] = set()
        self._unanswered = 0

    @property
    def silent(self) -> bool:
        """Whether it has not answered for a while."""
        return self._unanswered >= SILENT_AFTER

    @property
    def outstanding(self) -> int:
        """HTTP requests without an answer."""
        return len(self._exchanges)

    def ask(self, request: ReplicaRequest, answered: Answered) -> None:
        """Ask at the end of this turn of the loop; `answered` is called once, and never at once."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._send)
        self._waiting.append(_Asked(request, answered))

    async def entries(self) -> list[Held] | None:
        """All that the peer holds, or None if it does not answer, or does not know. In as many parts as it says it takes."""
        of, found = 1, list[Held]()
        part = 0
        while part < of:
            body = await self._request("GET", f"{REPLICA_PATH}?part={part}&of={of}", b"")
            if body is None:
                return None
            told = msgspec.json.decode(body, type=Part)
            found += told.held
            of, part = (of, part + 1) if told.of <= of else (told.of, 0)
        return found

    async def entries_of(self, keys: Sequence[str]) -> list[Held]:
        """What the peer holds of some keys; nothing if it does not answer."""
        body = await self._request("POST", ENTRIES_PATH, msgspec.json.encode(keys))
        return [] if body is None else msgspec.json.decode(body, type=list[Held])

    async def ranges(self, asker: str, prefixes: Sequence[str]) -> list[Range] | None:
        """The peer's digests of what it holds together with the asker, of these ranges."""
        body = await self._request("POST", RANGES_PATH, msgspec.json.encode((asker, prefixes)))
        return None if body is None else msgspec.json.decode(body, type=list[Range])

    def _send(self) -> None:
        """What changes nothing goes by itself, so that it need not wait until the rest is on a disk."""
        asked, self._waiting = self._waiting, []
        reading = [each for each in asked if isinstance(each.request, Query | Settled)]
        writing = [each for each in asked if not isinstance(each.request, Query | Settled)]
        for together in (*_parts(reading), *_parts(writing)):
            if len(self._exchanges) >= (MAX_IN_FLIGHT_SILENT if self.silent else MAX_IN_FLIGHT):
                for each in together:
                    each.answered(None)
                continue
            task = asyncio.get_running_loop().create_task(self._exchange(together))
            self._exchanges.add(task)  # the loop itself holds tasks weakly
            task.add_done_callback(self._exchanges.discard)

    async def _exchange(self, asked: Sequence[_Asked]) -> None:
        body = await self._request("POST", REPLICA_PATH, _ENCODER.encode([each.request for each in asked]))
        answers = [None] * len(asked) if body is None else _ANSWERS.decode(body)
        for each, answer in zip(asked, answers, strict=True):
            each.answered(answer)

    async def _request(self, method: str, path: str, body: bytes) -> bytes | None:
        try:
            response = await self._client.request(method, path, body, timeout_s=self._timeout_s, headers=self._headers)
        except TransportError:
            self._unanswered += 1
            return None
        self._unanswered = 0
        return response.body if response.status == 200 else None


def _parts(asked: Sequence[_Asked]) -> Iterator[Sequence[_Asked]]:
    """In the same order, none of them too large."""
    part: list[_Asked] = []
    part_bytes = 0
    for each in asked:
        size = _size(each.request)
        if part and (len(part) >= _MOST_TOGETHER or part_bytes + size > _MOST_BYTES_TOGETHER):
            yield part
            part, part_bytes = [], 0
        part.append(each)
        part_bytes += size
    if part:
        yield part


def _size(request: ReplicaRequest) -> int:
    """About how many bytes its values have."""
    size = len(request.entry.value or "") if isinstance(request, Store | Prepare | Accept | Keep) else 0
    return size + (len(request.proposal.value or "") if isinstance(request, Accept) else 0)
