"""Another replica, as a replica reaches it over its link."""

from __future__ import annotations

from typing import Final, cast
from urllib.parse import quote

import msgspec

from harness.http.message import Request, Response, TransportError
from harness.model.system import Address
from systems.parts.owner import Owner
from systems.parts.pace import Pace
from systems.parts.sealing import SealedClient
from systems.strong.messages import FORWARDED_HEADER, REPLICA_PATH, Fetch, ReplicaAnswer, ReplicaRequest

_FIRST_FETCHED: Final = 8 * 1024
"""So much is fetched at first, and more once that gets through: a long answer would be on its way when nobody waits for it any
more, and hold up all that follows."""

_ANSWER: Final = cast("type[ReplicaAnswer]", ReplicaAnswer)


class Peer:
    """Sends requests to one other replica. Each says whom it is for; any other node refuses it."""

    def __init__(self, cluster: str, name: str, address: Address, *, most: int, checked: bool = True) -> None:
        """`most`, in bytes, is what to send in one request at best. `checked`: damaged answers count as lost."""
        self._headers = Owner(cluster, name).headers
        self._client = SealedClient(address, checked=checked)
        self._pace = Pace(most)
        self._pace_fetched = Pace(most, first=_FIRST_FETCHED)

    @property
    def most(self) -> int:
        """How many bytes of entries, or of a snapshot, to send in one request: so many get through in time."""
        return self._pace.most

    @property
    def most_fetched(self) -> int:
        """How many bytes to ask for in one `Fetch`: so many get through in time."""
        return self._pace_fetched.most

    async def ask(self, request: ReplicaRequest, timeout_s: float) -> ReplicaAnswer | None:
        """The answer; None if no usable one came, in which case the request may have been carried out anyway."""
        body = msgspec.json.encode(request)
        pace, size = (self._pace_fetched, request.most) if isinstance(request, Fetch) else (self._pace, len(body))
        try:
            with pace.timed(size, timeout_s):
                response = await self._client.request("POST", REPLICA_PATH, body, timeout_s=timeout_s, headers=self._headers)
            return response.decode(_ANSWER) if response.status == 200 else None
        except TransportError:
            return None

    async def forward(self, request: Request, by: str, timeout_s: float) -> Response:
        """The answer to a client's request that the replica `by` passes on. Raises `TransportError`."""
        headers = (*self._headers, (FORWARDED_HEADER, by))
        return await self._client.request(
            request.method, quote(request.path, safe="/"), request.body, timeout_s=timeout_s, headers=headers
        )
