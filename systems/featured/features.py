"""The feature service node: `GET /features?user=NAME`."""

from __future__ import annotations

from harness.http.message import Request, Response
from harness.node.context import NodeContext
from systems.featured.messages import FeaturesReply, features_of


async def main(node: NodeContext) -> None:
    async def handle(request: Request) -> Response:
        match request.method, request.path, request.query.get("user"):
            case "GET", "/features", str(user):
                return Response.json(FeaturesReply(features_of(user)))
            case _:
                return Response(404, b"no such route; there is GET /features?user=NAME")

    await node.serve(handle)
