"""The client of etcd: it uses the JSON gateway, `/v3/kv/…`, through the harness's HTTP client."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Final

import msgspec

from harness.http.message import TransportError
from harness.model.system import Address, Answer, Call, CallFailed
from systems.parts.home_node import HomeNode

_CALLS_AWAY: Final = 10
"""The number of calls that must succeed at another member before a client tries its first one again."""

_REFUSED: Final = frozenset({3, 8})
"""gRPC's codes INVALID_ARGUMENT and RESOURCE_EXHAUSTED: the request had no effect. With any other code it may have had one."""


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
    """etcd carries the operations out if the comparison holds."""

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
    """Asks one member, and others while that one does not answer, or answers with an error.

    It sends a request that changes a key once. A read has no effect, so it tries other members as well while there is time.
    """

    def __init__(self, home: int, entries: Sequence[tuple[str, Address]], *, serializable_reads: bool) -> None:
        self._members = HomeNode(home, entries, calls_away=_CALLS_AWAY)
        self._serializable = serializable_reads

    async def invoke(self, call: Call) -> Answer:
        key = _encoded(call.key)
        if call.kind == "read":
            return await self._members.ask_around(lambda: self._read_once(key))
        if call.kind == "write" and call.value is not None:
            name, _ = await self._ask("put", _Put(key, _encoded(call.value)))
            return Answer(None, name)
        if call.kind == "delete":
            name, _ = await self._ask("deleterange", _Delete(key))
            return Answer(None, name)
        if call.kind == "cas" and call.value is not None:
            return await self._swap(key, *msgspec.json.decode(call.value, type=tuple[str | None, str | None]))
        raise CallFailed(f"etcd takes reads, writes with a value, compare-and-sets and deletes; this call is {call}")

    async def close(self) -> None:
        self._members.close()

    async def _swap(self, key: str, expected: str | None, new: str | None) -> Answer:
        there = _IsNotThere(key) if expected is None else _HasValue(key, _encoded(expected))
        change = _Operation(request_delete_range=_Delete(key)) if new is None else _Operation(_Put(key, _encoded(new)))
        name, body = await self._ask("txn", _Transaction([there], [change]))
        swapped = msgspec.json.decode(body, type=_Decided).succeeded
        return Answer(msgspec.json.encode([expected, new] if swapped else [expected, new, False]).decode(), name)

    async def _read_once(self, key: str) -> Answer:
        try:
            name, body = await self._ask("range", _Range(key, self._serializable))
        except TransportError as error:
            raise CallFailed(str(error)) from error
        found = msgspec.json.decode(body, type=_Found).kvs
        return Answer(base64.b64decode(found[0].value).decode() if found else None, name)

    async def _ask(self, what: str, request: msgspec.Struct) -> tuple[str, bytes]:
        """The member that answered, and its answer. Raises `CallFailed` if there was no effect, otherwise `TransportError`."""
        name, response = await self._members.request("POST", f"/v3/kv/{what}", msgspec.json.encode(request))
        if response.status != 200:
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
