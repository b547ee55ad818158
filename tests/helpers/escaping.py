"""A node that starts a process which escapes: it has its own session, and outlives the node."""

from __future__ import annotations

import subprocess

from harness.http.message import Request, Response
from harness.node import context as nodes


async def main(node: nodes.NodeContext) -> None:
    subprocess.Popen(["sleep", "300"], start_new_session=True)  # noqa: ASYNC220, S607 - it returns at once

    async def handle(request: Request) -> Response:
        return Response(200, request.path.encode())

    await node.serve(handle)
