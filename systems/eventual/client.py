"""The client of the eventual store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from harness.http.message import Response, TransportError
from harness.model.system import Address, Answer, Call, CallFailed
from harness.model.vocabulary import ADD, DELETE, READ, WRITE
from systems.eventual.messages import CONTEXT_HEADER, KEY_PATH, Context, Done, Got, NotDone, Put
from systems.parts.home_node import HomeNode
from systems.parts.version_vectors import merged

_CALLS_AWAY: Final = 3
"""The number of calls that must succeed elsewhere before a client tries its home node again."""


class Session:
    """What a client has seen and sends along, so that it reads nothing older, and writes something newer.

    It holds the context of each key, and the highest timestamp of all keys. With that, a write under last-writer-wins is
    ordered after everything that its client has read, even if the clock of the node that accepts it is behind.
    """

    def __init__(self) -> None:
        self._contexts: dict[str, Context] = {}
        self._latest = Context()

    def seen(self, key: str) -> Context:
        """The context that a read of a key must include."""
        return self._contexts.get(key, Context())

    def latest(self) -> Context:
        """The context that a write must be newer than."""
        return self._latest

    def saw(self, key: str, context: Context) -> None:
        """Take note of the context of an answer."""
        before = self.seen(key)
        self._contexts[key] = Context(max(before.stamp, context.stamp), merged(before.dots, context.dots))
        self._latest = Context(stamp=max(self._latest.stamp, context.stamp))


class EventualClient:
    """Asks one node, and switches to the next one if that does not answer, or refuses.

    After some calls that succeeded elsewhere it tries its home node again, so that the load spreads again after a fault. It
    sends a write once. A read has no effect, so the client tries it on other nodes as well while there is time.
    """

    def __init__(self, home: int, entries: Sequence[tuple[str, Address]], *, siblings: bool, session: Session | None) -> None:
        self._home = HomeNode(home, entries, calls_away=_CALLS_AWAY)
        self._siblings = siblings
        self._session = session

    async def invoke(self, call: Call) -> Answer:
        match call.kind, call.value:
            case "read", _:
                got, name = await self._read(call.key)
                return Answer(_union(got.values) if self._siblings else next(iter(got.values), None), name)
            case "add", str(value) if self._siblings:
                return Answer(None, await self._add(call.key, value))
            case "delete", _ if self._siblings:
                got, _ = await self._read(call.key)
                return Answer(None, await self._write("DELETE", call.key, b"", got.context))
            case "write", str(value) if not self._siblings:
                put = Put(value, self._session.latest() if self._session else Context())
                return Answer(None, await self._write("PUT", call.key, msgspec.json.encode(put), Context()))
            case "delete", _:
                latest = self._session.latest() if self._session else Context()
                return Answer(None, await self._write("DELETE", call.key, b"", latest))
        kinds = (ADD, READ, DELETE) if self._siblings else (READ, WRITE, DELETE)
        raise CallFailed(f"there are calls of kinds {', '.join(kinds)} here; this call is {call}")

    async def close(self) -> None:
        self._home.close()

    async def _add(self, key: str, value: str) -> str:
        """Read a set, add to it, and replace what was read: two clients that do so at once leave two sets, side by side."""
        got, _ = await self._read(key)
        elements = [*_elements(got.values), value]
        body = Put(msgspec.json.encode(elements).decode(), got.context)
        return await self._write("PUT", key, msgspec.json.encode(body), Context())

    async def _read(self, key: str) -> tuple[Got, str]:
        return await self._home.ask_around(lambda: self._read_once(key))

    async def _read_once(self, key: str) -> tuple[Got, str]:
        seen = self._session.seen(key) if self._session else Context()
        try:
            name, response = await self._request("GET", key, b"", seen)
            if response.status != 200:
                raise CallFailed(_told(name, response))
            got = response.decode(Got)
        except TransportError as error:
            raise CallFailed(str(error)) from error
        if self._session:
            self._session.saw(key, got.context)
        return got, name

    async def _write(self, method: str, key: str, body: bytes, seen: Context) -> str:
        name, response = await self._request(method, key, body, seen)
        if response.status in (400, 413, 503):
            raise CallFailed(_told(name, response))
        if response.status != 200:
            raise TransportError(_told(name, response))
        if self._session:
            self._session.saw(key, response.decode(Done).context)
        return name

    async def _request(self, method: str, key: str, body: bytes, seen: Context) -> tuple[str, Response]:
        headers = () if seen == Context() else ((CONTEXT_HEADER, msgspec.json.encode(seen).decode()),)
        return await self._home.request(method, KEY_PATH + quote(key, safe=""), body, headers)


def _told(name: str, response: Response) -> str:
    try:
        return f"{name}: {response.decode(NotDone).error}"
    except msgspec.MsgspecError:
        return f"{name}: status {response.status}, {response.body.decode(errors='replace')}"


def _elements(values: Sequence[str]) -> list[str]:
    """The union of several sets, in order."""
    return list(dict.fromkeys(element for value in values for element in msgspec.json.decode(value, type=list[str])))


def _union(values: Sequence[str]) -> str:
    return msgspec.json.encode(_elements(values)).decode()
