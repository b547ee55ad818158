"""A replica of two workers, one of which is broken: every other prediction fails, but every health check passes."""

from __future__ import annotations

from harness.http.message import Response
from harness.http.writing import encode_response
from harness.node.context import NodeContext
from systems.serving.messages import Prediction
from systems.serving.replica import Config, Server, serve_undrained

_BROKEN = encode_response(Response(500, b"this worker is broken"))


class Flaky(Server):
    """The ordinary replica's server, with every other answer lost."""

    def __init__(self, node: NodeContext, config: Config) -> None:
        super().__init__(node, config)
        self._predictions = 0

    def _encode(self, answer: Prediction) -> bytes:
        self._predictions += 1
        return _BROKEN if self._predictions % 2 else super()._encode(answer)


async def main(node: NodeContext) -> None:
    """Run it like the ordinary replica, without draining."""
    await serve_undrained(node, Flaky)
