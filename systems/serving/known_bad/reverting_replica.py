"""A known-bad replica: it repairs damaged weights with the version that it started with, whichever it has loaded since."""

from __future__ import annotations

from harness.node.context import NodeContext
from systems.serving.replica import Config, Server, serve_undrained


class Reverting(Server):
    """The ordinary replica's server, which forgets what it was told to load."""

    def __init__(self, node: NodeContext, config: Config) -> None:
        super().__init__(node, config)
        self._first = config.weights

    def _repair(self) -> None:
        self._weights = self._first
        super()._repair()


async def main(node: NodeContext) -> None:
    """Run it like the ordinary replica, without draining."""
    await serve_undrained(node, Reverting)
