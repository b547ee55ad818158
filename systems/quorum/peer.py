"""The connection to another node. Requests of one turn of the loop are sent together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, TypeVar

import msgspec

from harness.http.message import TransportError
from harness.model.system import Address
from systems.parts.merkle import Range
from systems.parts.owner import Owner
from systems.parts.sealing import SealedClient
from systems.parts.silence import SILENT_AFTER, Heard
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
"""The most concurrent HTTP requests to a peer; further ones are not sent, as if the network had lost them."""

MAX_IN_FLIGHT_SILENT: Final = 8
"""A peer that has not answered `SILENT_AFTER` consecutive requests gets fewer at a time until it answers.

Each request to a partitioned peer holds a connection until it times out: they must not pile up by the hundred.
"""

_MOST_TOGETHER: Final = 256
_MOST_BYTES_TOGETHER: Final = 4 * 1024 * 1024
"""A larger HTTP request would keep the others waiting."""

_READS: Final = (Query, Settled)
_ENTRIES: Final = (Store, Prepare, Accept, Keep)
"""Requests that carry an entry."""

T = TypeVar("T")

Answered = Callable[[Entry | None], None]
"""Takes the entry that the replica then holds, or None if there was no answer: the request may still have been carried out."""

_ENCODER: Final = msgspec.json.Encoder()


class _Asked(NamedTuple):
    request: ReplicaRequest
    answered: Answered


class Peer:
    """Asks one peer, over fewer connections if it does not answer."""

    def __init__(self, peer: Owner, address: Address, timeout_s: float, *, checked: bool = True) -> None:
        self._client = SealedClient(address, checked=checked)
        self._headers = peer.headers
        self._timeout_s = timeout_s
        self._waiting: list[_Asked] = []
        self._exchanges: set[asyncio.Task[None]] = set()
        self._unanswered = 0
        self._answers = self._silences = 0

    @property
    def heard(self) -> Heard:
        """What has come from the peer."""
        return Heard(self._answers, self._silences, self.silent)

    @property
    def silent(self) -> bool:
        """Whether the peer has not answered for a while."""
        return self._unanswered >= SILENT_AFTER

    @property
    def outstanding(self) -> int:
        """How many HTTP requests have no answer yet."""
        return len(self._exchanges)

    def ask(self, request: ReplicaRequest, answered: Answered) -> None:
        """Ask at the end of this turn of the loop; `answered` is called once, never from this call."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._send)
        self._waiting.append(_Asked(request, answered))

    async def entries(self) -> list[Held] | None:
        """Everything that the peer holds, fetched in as many parts as it asks for; None if it does not answer or know."""
        of, found = 1, list[Held]()
        part = 0
        while part < of:
            told = await self._request("GET", f"{REPLICA_PATH}?part={part}&of={of}", b"", Part)
            if told is None:
                return None
            found += told.held
            of, part = (of, part + 1) if told.of <= of else (told.of, 0)
        return found

    async def entries_of(self, keys: Sequence[str]) -> list[Held]:
        """The peer's entries of the first of some keys: as many as get through at once. Empty if it does not answer."""
        return await self._request("POST", ENTRIES_PATH, msgspec.json.encode(keys), list[Held]) or []

    async def ranges(self, asker: str, prefixes: Sequence[str]) -> list[Range] | None:
        """The peer's digests of these ranges, over the keys that it shares with the asker; None if it does not answer."""
        return await self._request("POST", RANGES_PATH, msgspec.json.encode((asker, prefixes)), list[Range])

    def _send(self) -> None:
        """Send reads separately, so that they need not wait until writes are on the disk."""
        asked, self._waiting = self._waiting, []
        reading = [each for each in asked if isinstance(each.request, _READS)]
        writing = [each for each in asked if not isinstance(each.request, _READS)]
        for together in (*_parts(reading), *_parts(writing)):
            if len(self._exchanges) >= (MAX_IN_FLIGHT_SILENT if self.silent else MAX_IN_FLIGHT):
                for each in together:
                    each.answered(None)
                continue
            task = asyncio.get_running_loop().create_task(self._exchange(together))
            self._exchanges.add(task)  # the loop holds only weak references to tasks
            task.add_done_callback(self._exchanges.discard)

    async def _exchange(self, asked: Sequence[_Asked]) -> None:
        body = _ENCODER.encode([each.request for each in asked])
        answers = await self._request("POST", REPLICA_PATH, body, list[Entry | None])
        if answers is None or len(answers) != len(asked):
            answers = [None] * len(asked)
        for each, answer in zip(asked, answers, strict=True):
            each.answered(answer)

    async def _request(self, method: str, path: str, body: bytes, kind: type[T]) -> T | None:
        """The answer; None if there was none, or it was a refusal, was damaged, or cannot be decoded."""
        try:
            response = await self._client.request(method, path, body, timeout_s=self._timeout_s, headers=self._headers)
            answer = response.decode(kind) if response.status == 200 else None
        except TransportError:
            self._unanswered += 1
            self._silences += 1
            return None
        self._unanswered = 0
        self._answers += 1
        return answer


def _parts(asked: Sequence[_Asked]) -> Iterator[Sequence[_Asked]]:
    """The requests in order, split into parts that are not too large."""
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
    """The approximate size of a request's values in bytes."""
    size = len(request.entry.value or "") if isinstance(request, _ENTRIES) else 0
    return size + (len(request.proposal.value or "") if isinstance(request, Accept) else 0)
