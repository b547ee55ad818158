"""How load reaches the quorum store."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from harness.http.client import HttpClient
from harness.http.message import Response, TransportError, Unreachable
from harness.model.system import Address, Answer, Call, CallFailed
from systems.quorum.messages import KEY_PATH, Got, NotDone, Put

_TIMEOUT_S: Final = 60.0
"""Only an end to waiting if nothing else ends it: a load gives a call up long before."""

_CALLS_BEFORE_HOME: Final = 10
"""Calls that must go well elsewhere before a client tries its home node again."""


class QuorumClient:
    """Asks one node, and from then on the next one when that did not answer, or answered that it had no quorum.

    After some calls that went well elsewhere it tries its home again, so that the load spreads again after a fault.
    A write is sent once. A read has no effect, so it is asked of the other nodes as well while there is time.
    """

    def __init__(self, home: int, entries: Sequence[tuple[str, Address]]) -> None:
        self._nodes = [(name, HttpClient(address)) for name, address in entries]
        self._home = self._at = home % len(entries)
        self._well = 0

    async def invoke(self, call: Call) -> Answer:
        if call.kind == "read":
            return await self._read(call.key)
        if call.kind != "write" or call.value is None:
            raise CallFailed(f"registers are read, or written with a value; this call is {call}")
        name, response = await self._request("PUT", call.key, msgspec.json.encode(Put(call.value)))
        if response.status == 503:
            raise CallFailed(_told(name, response))
        if response.status != 200:
            raise TransportError(_told(name, response))
        return Answer(None, name)

    async def close(self) -> None:
        for _, client in self._nodes:
            client.close()

    async def _read(self, key: str) -> Answer:
        for _ in self._nodes[1:]:
            with contextlib.suppress(CallFailed):
                return await self._read_once(key)
        return await self._read_once(key)

    async def _read_once(self, key: str) -> Answer:
        try:
            name, response = await self._request("GET", key, b"")
        except TransportError as error:
            raise CallFailed(str(error)) from error
        if response.status != 200:
            raise CallFailed(_told(name, response))
        return Answer(response.decode(Got).value, name)

    def _move(self, served: bool) -> None:
        self._well = self._well + 1 if served else 0
        if not served:
            self._at = (self._at + 1) % len(self._nodes)
        elif self._well >= _CALLS_BEFORE_HOME:
            self._at = self._home

    async def _request(self, method: str, key: str, body: bytes) -> tuple[str, Response]:
        """The answer, and of which node. Raises `CallFailed` if the request was surely not sent."""
        name, client = self._nodes[self._at]
        served = False
        try:
            response = await client.request(method, KEY_PATH + quote(key, safe=""), body, timeout_s=_TIMEOUT_S)
            served = response.status == 200
        except Unreachable as error:
            raise CallFailed(f"{name}: {error}") from error
        except TransportError as error:
            raise type(error)(f"{name}: {error}") from error
        finally:
            self._move(served)  # also if the call was given up from outside
        return name, response


def _told(name: str, response: Response) -> str:
    try:
        return f"{name}: {response.decode(NotDone).error}"
    except msgspec.MsgspecError:
        return f"{name}: status {response.status}, {response.body.decode(errors='replace')}"
