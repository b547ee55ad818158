"""How load reaches the strong store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from harness.http.client import HttpClient
from harness.http.message import Response, TransportError, Unreachable
from harness.model.system import Address, Answer, Call, CallFailed
from systems.strong.messages import KEY_PATH, REDIRECT_HEADER, SESSIONS_PATH, Compare, Delete, Got, NotDone, Put, Result

_ATTEMPT_TIMEOUT_S: Final = 0.35
_PATIENCE_S: Final = 0.9
"""A call is sent again, to one node after another, for this long."""

_PAUSE_S: Final = 0.03
_LONGEST_PAUSE_S: Final = 0.12


class StrongClient:
    """Asks the primary, whichever node that is, or the only node that it knows, until it gets an answer or its time is up.

    It opens a session before its first command, and numbers its commands, so that one that is sent again is executed only once.
    """

    def __init__(self, home: int, entries: Sequence[tuple[str, Address]]) -> None:
        self._clients = {name: HttpClient(address) for name, address in entries}
        self._names = [name for name, _ in entries]
        self._at = self._names[home % len(entries)]
        self._headers = ((REDIRECT_HEADER, "1"),) if len(entries) > 1 else ()
        self._session = self._number = 0
        self.attempts = 1

    async def invoke(self, call: Call) -> Answer:
        self.attempts = 0
        path = KEY_PATH + quote(call.key, safe="")
        until_s = asyncio.get_running_loop().time() + _PATIENCE_S
        if call.kind == "read":
            name, response = await self._asked(until_s, "GET", path, b"", harmless=True)
            return Answer(response.decode(Got).value, name)
        method, body = _request(call)
        if not self._session:
            _, response = await self._asked(until_s, "POST", SESSIONS_PATH, b"", harmless=True)
            self._session, self._number = response.decode(Result).session, 0
        self._number += 1
        numbered = msgspec.json.encode(msgspec.structs.replace(body, session=self._session, number=self._number))
        name, response = await self._asked(until_s, method, path, numbered)
        if isinstance(body, Compare) and not response.decode(Result).done:
            return Answer(msgspec.json.encode([body.expected, body.value, False]).decode(), name)
        return Answer(None, name)

    async def close(self) -> None:
        for client in self._clients.values():
            client.close()

    async def _asked(
        self, until_s: float, method: str, path: str, body: bytes, *, harmless: bool = False
    ) -> tuple[str, Response]:
        """The answer, and the name of the node that gave it.

        Raises `CallFailed` if the request certainly has no effect, or is `harmless`, and `TransportError` if it may have one.
        """
        loop, pause_s = asyncio.get_running_loop(), _PAUSE_S
        maybe, failed, turn = False, set[str](), self._at
        while True:
            self.attempts += 1
            name, hint = self._at, ""
            try:
                response = await self._clients[name].request(
                    method, path, body, timeout_s=_ATTEMPT_TIMEOUT_S, headers=self._headers
                )
            except Unreachable as error:
                why = f"{name}: {error}"
            except TransportError as error:
                why, maybe = f"{name}: {error}", True
            else:
                if response.status == 200:
                    return name, response
                told = _not_done(response)
                why, hint = f"{name}: {told.error}", told.primary
                if response.status == 410:
                    self._session = 0
                    raise CallFailed(why) if not maybe else TransportError(why)
                if 400 <= response.status < 420:  # this try was refused, which says nothing of an earlier one
                    raise CallFailed(why) if harmless or not maybe else TransportError(why)
                maybe = maybe or told.outcome != "failed"
            failed.add(name)
            if hint in self._clients and hint not in failed:
                self._at = hint
            else:  # after the last node that no other named: else two that are out of date might name each other for ever
                self._at = turn = self._after(turn)
            if loop.time() + pause_s >= until_s:
                raise CallFailed(why) if harmless or not maybe else TransportError(why)
            if not hint or self._at != hint:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                failed.clear()

    def _after(self, name: str) -> str:
        return self._names[(self._names.index(name) + 1) % len(self._names)]


def _request(call: Call) -> tuple[str, Put | Compare | Delete]:
    match call.kind, call.value:
        case "write", str() as value:
            return "PUT", Put(value)
        case "delete", None:
            return "DELETE", Delete()
        case "cas", str() as value:
            expected, new = msgspec.json.decode(value, type=tuple[str | None, str | None])
            return "POST", Compare(expected, new)
    raise CallFailed(f"registers are read, written with a value, compared and set, or deleted; this call is {call}")


def _not_done(response: Response) -> NotDone:
    try:
        return response.decode(NotDone)
    except msgspec.MsgspecError:
        return NotDone("unknown", f"status {response.status}, {response.body.decode(errors='replace')}")
