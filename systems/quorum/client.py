"""How load reaches the quorum store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from harness.drill import Address, Answer, Call, CallFailed
from harness.wire import Client, Response, Unreachable, WireError
from systems.quorum.node import Value

_TIMEOUT_S: Final = 60.0
"""Only an end to waiting when nobody else ends it: the load gives a call up long before."""


class QuorumClient:
    """Asks one node, and moves on to the next when that one did not answer or has no quorum. Nothing is asked twice."""

    def __init__(self, home: int, entries: Sequence[tuple[str, Address]]) -> None:
        self._nodes = [(name, Client(address)) for name, address in entries]
        self._at = home % len(entries)

    async def invoke(self, call: Call) -> Answer:
        name, client = self._nodes[self._at]
        served = False
        try:
            response = await self._request(client, call)
            served = response.status == 200
        except Unreachable as error:
            raise CallFailed(f"{name}: {error}") from error
        finally:
            if not served:  # also where the call was given up from outside
                self._at = (self._at + 1) % len(self._nodes)
        if response.status == 503:
            raise CallFailed(f"{name}: {response.body.decode(errors='replace')}")
        if response.status != 200:
            raise WireError(f"{name} answered {response.status}: {response.body.decode(errors='replace')}")
        return Answer(response.decode(Value).value if call.kind == "read" else None, name)

    async def close(self) -> None:
        for _, client in self._nodes:
            client.close()

    async def _request(self, client: Client, call: Call) -> Response:
        path = f"/kv/{quote(call.key, safe='')}"
        if call.kind == "read":
            return await client.request("GET", path, timeout_s=_TIMEOUT_S)
        return await client.request("PUT", path, msgspec.json.encode(Value(call.value)), timeout_s=_TIMEOUT_S)
