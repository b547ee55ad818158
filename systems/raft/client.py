"""How load reaches the Raft store: a client that finds the leader, and asks again until it knows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from harness.http.client import HttpClient
from harness.http.message import Response, TransportError
from harness.model.object_model import Call as ObjectCall
from harness.model.objects.register import compared
from harness.model.system import Address, Answer, Call, CallFailed
from systems.raft.messages import KEY_PATH, SESSIONS_PATH, Got, NotDone, Once, Post, Put, Session, Swapped

_REQUEST_S: Final = 0.6
"""A node that has not answered after this long may have no majority: another one is asked."""

_ASK_AGAIN_S: Final = 0.02


class RaftClient:
    """Asks whom it takes for the leader, and whomever that one names.

    What changes something is numbered in a session, so that it may be asked again when no answer came, and is carried out once.
    It gives up when the load does. A session that is gone is replaced.
    """

    def __init__(self, index: int, entries: Sequence[tuple[str, Address]]) -> None:
        self._clients = {name: HttpClient(address) for name, address in entries}
        self._names = list(self._clients)
        self._at = self._names[index % len(self._names)]
        self._session = self._sequence = 0
        self._attempts = 0

    @property
    def attempts(self) -> int:
        return max(1, self._attempts)

    async def invoke(self, call: Call) -> Answer:
        self._attempts = 0
        path = KEY_PATH + quote(call.key, safe="")
        match call.kind:
            case "read":
                name, response = await self._until_answered("GET", path, b"")
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
                expected, new, _ = compared(ObjectCall(0, call.kind, call.value))
                once = await self._next()
                body_ = Post(expected=expected, new=new, session=once.session, sequence=once.sequence)
                name, response = await self._change("POST", path, body_)
                swapped = response.decode(Swapped).swapped
                refused = msgspec.json.encode([expected, new, False]).decode()
                return Answer(None if swapped else refused, name)
        raise CallFailed(f"there are read, write, cas and delete; this call is {call}")

    async def close(self) -> None:
        for client in self._clients.values():
            client.close()

    async def _next(self) -> Once:
        """The number of the next command, in a session that is opened if there is none."""
        if not self._session:
            _, response = await self._until_answered("POST", SESSIONS_PATH, b"")
            self._session, self._sequence = response.decode(Session).session, 0
        self._sequence += 1
        return Once(session=self._session, sequence=self._sequence)

    async def _change(self, method: str, path: str, body: Once) -> tuple[str, Response]:
        name, response = await self._until_answered(method, path, msgspec.json.encode(body))
        if response.status == 410:
            self._session = 0
            raise TransportError(_told(name, response))
        return name, response

    async def _until_answered(self, method: str, path: str, body: bytes) -> tuple[str, Response]:
        """Ask until some node has carried it out, or refuses it for good. Whoever has no more patience cancels."""
        while True:
            self._attempts += 1
            name = self._at
            leader: str | None = None
            try:
                response = await self._clients[name].request(method, path, body, timeout_s=_REQUEST_S)
                if response.status in (200, 410):
                    return name, response
                if response.status not in (503, 504):
                    raise CallFailed(_told(name, response))
                leader = _leader(response)
            except TransportError:
                pass  # dead, cut off or slow: another one is asked
            if leader is not None and leader in self._clients and leader != name:
                self._at = leader
            else:
                self._at = self._names[(self._names.index(name) + 1) % len(self._names)]
                await asyncio.sleep(_ASK_AGAIN_S)


def _leader(response: Response) -> str | None:
    try:
        return response.decode(NotDone).leader
    except msgspec.MsgspecError:
        return None


def _told(name: str, response: Response) -> str:
    try:
        return f"{name}: {response.decode(NotDone).error}"
    except msgspec.MsgspecError:
        return f"{name}: status {response.status}, {response.body.decode(errors='replace')}"
