"""A known-bad replica: its health check shows only that the process answers."""

from __future__ import annotations

from harness.http.requests import Message
from harness.http.writing import encode_response
from harness.node.context import NodeContext
from systems.serving.replica import Server, serve_undrained


class Shallow(Server):
    """The ordinary replica's server, whose health check does not run the model."""

    def _check_health(self, message: Message) -> None:
        message.answer = encode_response(self._identity())


async def main(node: NodeContext) -> None:
    """Run it like the ordinary replica, without draining."""
    await serve_undrained(node, Shallow)
