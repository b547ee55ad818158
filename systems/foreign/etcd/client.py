"""How load reaches etcd: its JSON gateway, `/v3/kv/…`, over the one HTTP client."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Sequence
from typing import Final

import msgspec

from harness.http.client import HttpClient
from harness.http.message import TransportError, Unreachable
from harness.model.system import Address, Answer, Call, CallFailed

_TIMEOUT_S: Final = 60.0
"""Only an end to waiting if nothing else ends it: a load gives a call up long before."""

_REFUSED: Final = frozenset({3, 8})
"""gRPC's codes INVALID_ARGUMENT and RESOURCE_EXHAUSTED: etcd did nothing. After any other it may have."""


class _Range(msgspec.Struct):
    key: str
    serializable: bool


class _Put(msgspec.Struct):
    key: str
    value: str


class _KeyValue(msgspec.Struct):
    value: str = ""


class _Found(msgspec.Struct):
    kvs: list[_KeyValue] = []


class _Decided(msgspec.Struct):
    succeeded: bool = False


class _Error(msgspec.Struct):
    message: str
    code: int = 0


class EtcdClient:
    """Asks one member, and from then on the next one when that did not answer, or answered with an error.

    A write is sent once. A read has no effect, so it is asked of the other members as well while there is time. Reads and
    writes move on each for itself: a member that cannot have anything written may still be able to read.
    """

    def __init__(self, home: int, entries: Sequence[tuple[str, Address]], *, serializable_reads: bool) -> None:
        self._members = [(name, HttpClient(address)) for name, address in entries]
        self._at = dict.fromkeys(("range", "put"), home % len(entries))
        self._serializable = serializable_reads

    async def invoke(self, call: Call) -> Answer:
        key = _encoded(call.key)
        if call.kind == "read":
            return await self._read(key)
        if call.kind == "write" and call.value is not None:
            name, _ = await self._ask("put", _Put(key, _encoded(call.value)))
            return Answer(None, name)
        raise CallFailed(f"etcd's keys are read, or written with a value; this call is {call}")

    async def close(self) -> None:
        for _, client in self._members:
            client.close()

    async def _read(self, key: str) -> Answer:
        for _ in self._members[1:]:
            with contextlib.suppress(CallFailed):
                return await self._read_once(key)
        return await self._read_once(key)

    async def _read_once(self, key: str) -> Answer:
        try:
            name, body = await self._ask("range", _Range(key, self._serializable))
        except TransportError as error:
            raise CallFailed(str(error)) from error
        found = msgspec.json.decode(body, type=_Found).kvs
        return Answer(base64.b64decode(found[0].value).decode() if found else None, name)

    async def _ask(self, what: str, request: msgspec.Struct) -> tuple[str, bytes]:
        """Which member answered, and what. Raises `CallFailed` if nothing was done, else `TransportError`."""
        name, client = self._members[self._at[what]]
        served = False
        try:
            response = await client.request("POST", f"/v3/kv/{what}", msgspec.json.encode(request), timeout_s=_TIMEOUT_S)
            served = response.status == 200
        except Unreachable as error:
            raise CallFailed(f"{name}: {error}") from error
        except TransportError as error:
            raise type(error)(f"{name}: {error}") from error
        finally:
            if not served:  # also if the call was given up from outside
                self._at[what] = (self._at[what] + 1) % len(self._members)
        if not served:
            told = _told(response.body)
            raise (CallFailed if told.code in _REFUSED else TransportError)(f"{name}: {told.message}")
        return name, response.body


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _told(body: bytes) -> _Error:
    try:
        return msgspec.json.decode(body, type=_Error)
    except msgspec.MsgspecError:
        return _Error(body.decode(errors="replace"))
