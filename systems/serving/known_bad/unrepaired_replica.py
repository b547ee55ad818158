"""A known-bad replica: it reports that its weights are damaged, but does not repair them."""

from __future__ import annotations

from harness.node.context import NodeContext
from systems.serving.replica import Server, serve_undrained


class Unrepaired(Server):
    """The ordinary replica's server, which never reloads its weights."""

    def _repair(self) -> None:
        pass


async def main(node: NodeContext) -> None:
    """Run it like the ordinary replica, without draining."""
    await serve_undrained(node, Unrepaired)
