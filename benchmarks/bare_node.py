"""A node that does nothing but answer that it is there: shows what a process forked after the warden's imports costs."""

from __future__ import annotations

from harness.http.message import Request, Response
from harness.node.context import NodeContext


async def main(node: NodeContext) -> None:
    """Answer until the node is told to end."""
    await node.serve(answer)


async def answer(request: Request) -> Response:
    return Response(200, b"here")
