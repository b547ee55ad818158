"""The client through which load reaches the Raft store: it finds the leader, and retries until the outcome is known."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import msgspec

from harness.http.message import Response, TransportError
from harness.model.object_model import Call as ObjectCall
from harness.model.objects.register import compared
from harness.model.system import Address, Answer, Call, CallFailed
from systems.raft.finding import LeaderFinder, told
from systems.raft.messages import KEY_PATH, SESSIONS_PATH, Got, Once, Post, Put, Session, Swapped


class RaftClient:
    """Asks the node that it believes to lead, and then the one that this node names.

    Changes are numbered in a session, so that one without an answer can be retried and is still carried out only once. The
    client retries until the load cancels the call. An expired session is replaced.
    """

    def __init__(self, index: int, entries: Sequence[tuple[str, Address]]) -> None:
        self._finder = LeaderFinder(index, entries)
        self._session = self._sequence = 0

    @property
    def attempts(self) -> int:
        return max(1, self._finder.attempts)

    async def invoke(self, call: Call) -> Answer:
        self._finder.attempts = 0
        path = KEY_PATH + quote(call.key, safe="")
        match call.kind:
            case "read":
                name, response = await self._finder.ask("GET", path, b"")
                return Answer(response.decode(Got).value, name)
            case "write" if call.value is not None:
                once = await self._next()
                body = Put(value=call.value, session=once.session, sequence=once.sequence)
                name, _ = await self._change("PUT", path, body)
                return Answer(None, name)
            case "delete":
                name, _ = await self._change("DELETE", path, await self._next())
                return Answer(None, name)
            case "cas":
                expected, new, *_ = compared(ObjectCall(0, call.kind, call.value))
                once = await self._next()
                body_ = Post(expected=expected, new=new, session=once.session, sequence=once.sequence)
                name, response = await self._change("POST", path, body_)
                swapped = response.decode(Swapped).swapped
                refused = msgspec.json.encode([expected, new, False]).decode()
                return Answer(None if swapped else refused, name)
        raise CallFailed(f"there are read, write, cas and delete; this call is {call}")

    async def close(self) -> None:
        self._finder.close()

    async def _next(self) -> Once:
        """The next command's session and number. Opens a session if there is none."""
        if not self._session:
            _, response = await self._finder.ask("POST", SESSIONS_PATH, b"")
            self._session, self._sequence = response.decode(Session).session, 0
        self._sequence += 1
        return Once(session=self._session, sequence=self._sequence)

    async def _change(self, method: str, path: str, body: Once) -> tuple[str, Response]:
        name, response = await self._finder.ask(method, path, msgspec.json.encode(body))
        if response.status == 410:
            self._session = 0
            raise TransportError(told(name, response))
        return name, response
