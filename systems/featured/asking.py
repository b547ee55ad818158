"""The client through which a replica asks the feature service. It counts slow requests.

The replica's circuit breaker counts them as well, so the two counts can be compared.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from harness.http.client import HttpClient, Tally
from harness.http.message import Headers, Pieces, Response, TransportError
from harness.model.system import Address

_ROUNDING_S: Final = 1e-6
"""The breaker's clock and this one are floats, which may round differently."""


@dataclass
class TimedTally(Tally):
    """What became of a client's requests so far, and how many were slow."""

    slow: int = 0
    """How many of those that ended took `slow_s` or longer."""


class TimedClient(HttpClient):
    """An `HttpClient` that counts the requests that take `slow_s` or longer."""

    tally: TimedTally

    def __init__(self, address: Address, slow_s: float) -> None:
        super().__init__(address)
        self.tally = TimedTally()
        self._slow_s = slow_s

    async def request(
        self, method: str, path: str, body: bytes | Pieces = b"", *, timeout_s: float, headers: Headers = ()
    ) -> Response:
        clock = asyncio.get_running_loop().time
        begun_s = clock()
        try:
            response = await super().request(method, path, body, timeout_s=timeout_s, headers=headers)
        except TransportError:
            self._ended(clock() - begun_s)
            raise
        self._ended(clock() - begun_s)
        return response

    def _ended(self, took_s: float) -> None:
        self.tally.slow += took_s >= self._slow_s - _ROUNDING_S
