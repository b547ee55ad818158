"""A node that tells of its own work: one event at its start, and one for each request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.http.client import HttpClient
from harness.http.message import Request, Response
from harness.model.system import Address, Answer, Call, Client, Node
from harness.node.context import NodeContext


@dataclass(frozen=True, kw_only=True)
class Telling:
    """One node that tells of every call."""

    def nodes(self) -> Sequence[Node]:
        return [Node(name="n1", code="tests.helpers.telling")]

    def entries(self) -> Sequence[str]:
        return ["n1"]

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        return _TellingClient(entries["n1"])


class _TellingClient:
    def __init__(self, address: Address) -> None:
        self._client = HttpClient(address)

    async def invoke(self, call: Call) -> Answer:
        await self._client.request("GET", f"/{call.key}", timeout_s=5)
        return Answer(node="n1")

    async def close(self) -> None:
        self._client.close()


async def main(node: NodeContext) -> None:
    node.event("began", {"name": node.name})

    async def handle(request: Request) -> Response:
        node.event("asked", {"path": request.path})
        return Response()

    await node.serve(handle)
