"""Another replica, as a coordinator reaches it over its link."""

from __future__ import annotations

from typing import Final

import msgspec

from harness.http.client import HttpClient
from harness.http.message import TransportError
from harness.model.system import Address
from systems.quorum.messages import REPLICA_PATH, Entry, ReplicaRequest
from systems.quorum.replica import Held

MAX_IN_FLIGHT: Final = 128
"""Requests to a peer at a time; what is more is not sent, as if the network had lost it."""

SILENT_AFTER: Final = 4
MAX_IN_FLIGHT_SILENT: Final = 8
"""A peer without an answer to so many requests in a row is asked by fewer at a time, until it answers.

Each request to a peer that is cut off holds a connection until its time is over: they must not gather by the hundred.
"""


class Peer:
    """Asks one peer, over few connections if it does not answer."""

    def __init__(self, address: Address) -> None:
        self._client = HttpClient(address)
        self._in_flight = 0
        self._unanswered = 0

    async def ask(self, request: ReplicaRequest, timeout_s: float) -> Entry | None:
        """The peer's answer, or None if none came: the request may have been carried out all the same."""
        if self._in_flight >= (MAX_IN_FLIGHT if self._unanswered < SILENT_AFTER else MAX_IN_FLIGHT_SILENT):
            return None
        self._in_flight += 1
        try:
            response = await self._client.request("POST", REPLICA_PATH, msgspec.json.encode(request), timeout_s=timeout_s)
        except TransportError:
            self._unanswered += 1
            return None
        finally:
            self._in_flight -= 1
        self._unanswered = 0
        return response.decode(Entry) if response.status == 200 else None

    async def entries(self, timeout_s: float) -> list[Held] | None:
        """All that the peer holds, or None if it does not answer, or does not know."""
        try:
            response = await self._client.request("GET", REPLICA_PATH, timeout_s=timeout_s)
        except TransportError:
            return None
        return msgspec.json.decode(response.body, type=list[Held]) if response.status == 200 else None
