"""A replica known to be wrong: what it remembers is given as answers of a model that has been replaced since."""

from __future__ import annotations

from harness.node.context import NodeContext
from systems.serving.replica import Server, serve_undrained


class StaleCache(Server):
    """The ordinary replica's server, whose cache outlives the model."""

    def _empty_cache(self) -> None:
        pass


async def main(node: NodeContext) -> None:
    """As the ordinary replica, without the draining."""
    await serve_undrained(node, StaleCache)
