"""How a client finds the leader of a group, and asks until the outcome is known."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec

from harness.http.client import HttpClient
from harness.http.message import INTERNAL_ERROR, Response, TransportError
from harness.model.system import Address, CallFailed
from systems.raft.messages import ON_BEHALF, NotDone

_REQUEST_S: Final = 0.6
"""A node that has not answered after this long may have no majority: another one is asked."""

_ASK_AGAIN_S: Final = (0.02, 0.08)
"""How long it waits before it asks the next node: at first, and at most. Without a pause, many clients would keep nodes too
busy to elect a leader."""


class LeaderFinder:
    """Asks the node that it believes to lead, then the one that this node names, until there is an answer."""

    def __init__(self, index: int, entries: Sequence[tuple[str, Address]]) -> None:
        self._clients = {name: HttpClient(address) for name, address in entries}
        self._names = list(self._clients)
        self._at = self._names[index % len(self._names)]
        self._headers = ((ON_BEHALF, "yes"),) if len(entries) == 1 else ()
        self.attempts = 0
        """How many requests were sent. The caller may reset it to 0."""

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[str, Response]:
        """Ask until a node has carried the request out, or refuses it for good; returns the node and its response (200 or 410).

        It never gives up: cancel it. Requests that change something must be idempotent. If there is no other node to ask, a
        refusal is final, unless an earlier try may have had its effect. Raises `CallFailed`, or `TransportError` if the request
        may have had its effect: a node that fails in the middle says nothing of that.
        """
        in_doubt, pause_s = False, _ASK_AGAIN_S[0]
        while True:
            self.attempts += 1
            name = self._at
            leader: str | None = None
            try:
                response = await self._clients[name].request(method, path, body, timeout_s=_REQUEST_S, headers=self._headers)
            except TransportError:
                in_doubt = in_doubt or method != "GET"  # dead, partitioned or slow: ask another node
            else:
                if response.status in (200, 410):
                    return name, response
                refused = response.status != 504 and not in_doubt
                if response.status not in (503, 504) or (refused and len(self._names) == 1):
                    surely_not = method == "GET" or (refused and response.status != INTERNAL_ERROR.status)
                    raise CallFailed(told(name, response)) if surely_not else TransportError(told(name, response))
                in_doubt = in_doubt or (response.status == 504 and method != "GET")
                leader = _leader(response)
            if leader is not None and leader in self._clients and leader != name:
                self._at = leader
            else:
                self._at = self._names[(self._names.index(name) + 1) % len(self._names)]
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _ASK_AGAIN_S[1])

    def close(self) -> None:
        for client in self._clients.values():
            client.close()


def told(name: str, response: Response) -> str:
    """The reason that a node gave."""
    try:
        return f"{name}: {response.decode(NotDone).error}"
    except msgspec.MsgspecError:
        return f"{name}: status {response.status}, {response.body.decode(errors='replace')}"


def _leader(response: Response) -> str | None:
    try:
        return response.decode(NotDone).leader
    except msgspec.MsgspecError:
        return None
