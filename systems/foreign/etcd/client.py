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


class _Delete(msgspec.Struct):
    key: str


class _HasValue(msgspec.Struct, tag_field="target", tag="VALUE"):
    key: str
    value: str


class _IsNotThere(msgspec.Struct, tag_field="target", tag="CREATE", rename="camel"):
    key: str
    create_revision: int = 0


class _Operation(msgspec.Struct, rename="camel", omit_defaults=True):
    request_put: _Put | None = None
    request_delete_range: _Delete | None = None


class _Transaction(msgspec.Struct):
    """If a key is as compared, the operations are carried out."""

    compare: list[_HasValue | _IsNotThere]
    success: list[_Operation]


class _Decided(msgspec.Struct):
    succeeded: bool = False


class _KeyValue(msgspec.Struct):
    value: str = ""


class _Found(msgspec.Struct):
    kvs: list[_KeyValue] = []


class _Error(msgspec.Struct):
    message: str
    code: int = 0


class EtcdClient:
    """Asks one member, and from then on the next one when that did not answer, or answered with an error.

    What changes a key is sent once. A read has no effect, so it is asked of the other members as well while there is time.
    """

    def __init__(self, home: int, entries: Sequence[tuple[str, Address]], *, serializable_reads: bool) -> None:
        self._members = [(name, HttpClient(address)) for name, address in entries]
        self._at = home % len(entries)
        self._serializable = serializable_reads

    async def invoke(self, call: Call) -> Answer:
        key = _encoded(call.key)
        if call.kind == "read":
            return await self._read(key)
        if call.kind == "write" and call.value is not None:
            name, _ = await self._ask("put", _Put(key, _encoded(call.value)))
            return Answer(None, name)
        if call.kind == "delete":
            name, _ = await self._ask("deleterange", _Delete(key))
            return Answer(None, name)
        if call.kind == "cas" and call.value is not None:
            return await self._swap(key, *msgspec.json.decode(call.value, type=tuple[str | None, str | None]))
        raise CallFailed(f"etcd's keys are read, written with a value, compared and set, or deleted; this call is {call}")

    async def close(self) -> None:
        for _, client in self._members:
            client.close()

    async def _swap(self, key: str, expected: str | None, new: str | None) -> Answer:
        there = _IsNotThere(key) if expected is None else _HasValue(key, _encoded(expected))
        change = _Operation(request_delete_range=_Delete(key)) if new is None else _Operation(_Put(key, _encoded(new)))
        name, body = await self._ask("txn", _Transaction([there], [change]))
        swapped = msgspec.json.decode(body, type=_Decided).succeeded
        return Answer(msgspec.json.encode([expected, new] if swapped else [expected, new, False]).decode(), name)

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
        name, client = self._members[self._at]
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
                self._at = (self._at + 1) % len(self._members)
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
