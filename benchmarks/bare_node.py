"""A node that only answers that it is there: what a process forked after the warden's imports costs by itself."""

from __future__ import annotations

from harness.http.message import Request, Response
from harness.node.context import NodeContext


async def main(node: NodeContext) -> None:
    """Answer until told to end."""
    await node.serve(answer)


async def answer(request: Request) -> Response:
    return Response(200, b"here")
