"""The client through which load reaches the quorum store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from harness.http.message import Response, TransportError
from harness.model.system import Address, Answer, Call, CallFailed
from systems.parts.home_node import HomeNode
from systems.quorum.messages import KEY_PATH, CompareAndSet, Compared, Got, NotDone, Put

_SURELY_NOT: Final = frozenset({400, 405, 413, 414, 501, 503})

_CALLS_AWAY: Final = 10
"""How many calls must succeed elsewhere before a client tries its home node again."""

_TOLD: Final = 20
"""How many characters are recorded of a value that was read and cannot have been written."""


class QuorumClient:
    """Asks one node, and moves on to the next one if that did not answer, or had no quorum.

    After some successful calls elsewhere it returns to its home node, so that the load is spread again after a fault. A change
    is sent only once. A read has no side effect, so it is retried on the other nodes.
    """

    def __init__(
        self,
        home: int,
        entries: Sequence[tuple[str, Address]],
        *,
        read: int | None,
        write: int | None,
        padding_kib: int = 0,
    ) -> None:
        """`read` and `write` are the quorum sizes to ask for with each request; None: the nodes' own.

        `padding_kib`: what is added to each value on its way, and taken off again.
        """
        sizes = [f"{name}={size}" for name, size in (("read", read), ("write", write)) if size is not None]
        self._query = f"?{'&'.join(sizes)}" if sizes else ""
        self._home = HomeNode(home, entries, calls_away=_CALLS_AWAY)
        self._padding = "." * (1024 * padding_kib)

    async def invoke(self, call: Call) -> Answer:
        match call.kind:
            case "read":
                return await self._read(call.key)
            case "write" if call.value is not None:
                return await self._change("PUT", call.key, Put(call.value + self._padding))
            case "delete":
                return await self._change("DELETE", call.key, None)
            case "cas":
                return await self._compare_and_set(call)
        raise CallFailed(f"registers are read, written with a value, deleted, compared and set; this call is {call}")

    async def close(self) -> None:
        self._home.close()

    async def _change(self, method: str, key: str, body: Put | CompareAndSet | None) -> Answer:
        name, _ = await self._changed(method, key, body)
        return Answer(None, name)

    async def _changed(self, method: str, key: str, body: Put | CompareAndSet | None) -> tuple[str, Response]:
        name, response = await self._request(method, key, b"" if body is None else msgspec.json.encode(body))
        if response.status in _SURELY_NOT:
            raise CallFailed(_told(name, response))
        if response.status != 200:
            raise TransportError(_told(name, response))
        return name, response

    async def _compare_and_set(self, call: Call) -> Answer:
        try:
            expected, value = msgspec.json.decode(call.value or "", type=tuple[str | None, str | None])
        except msgspec.MsgspecError as error:
            raise CallFailed(f"the value of cas must be [expected, new]; it is {call.value!r}: {error}") from error
        name, response = await self._changed("POST", call.key, CompareAndSet(self._padded(expected), self._padded(value)))
        compared = response.decode(Compared)
        told = [expected, value] if compared.swapped else [expected, value, False, self._bare(compared.value)]
        return Answer(msgspec.json.encode(told).decode(), name)

    async def _read(self, key: str) -> Answer:
        return await self._home.ask_around(lambda: self._read_once(key))

    async def _read_once(self, key: str) -> Answer:
        try:
            name, response = await self._request("GET", key, b"")
            if response.status != 200:
                raise CallFailed(_told(name, response))
            return Answer(self._bare(response.decode(Got).value), name)
        except TransportError as error:
            raise CallFailed(str(error)) from error

    def _padded(self, value: str | None) -> str | None:
        return None if value is None else value + self._padding

    def _bare(self, value: str | None) -> str | None:
        if value is None:
            return None
        if not value.endswith(self._padding):
            return f"{value[:_TOLD]}… without its padding"  # which nobody wrote
        return value.removesuffix(self._padding)

    async def _request(self, method: str, key: str, body: bytes) -> tuple[str, Response]:
        return await self._home.request(method, KEY_PATH + quote(key, safe="") + self._query, body)


def _told(name: str, response: Response) -> str:
    try:
        return f"{name}: {response.decode(NotDone).error}"
    except msgspec.MsgspecError:
        return f"{name}: status {response.status}, {response.body.decode(errors='replace')}"
