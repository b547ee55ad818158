"""A known-bad replica: after its model is replaced, its cache still gives the old model's answers."""

from __future__ import annotations

from harness.node.context import NodeContext
from systems.serving.prediction_cache import PredictionCache
from systems.serving.replica import Server, serve_undrained


class StaleCache(Server):
    """The ordinary replica's server, whose cache outlives the model."""

    def _next_cache(self) -> PredictionCache | None:
        return self._cache


async def main(node: NodeContext) -> None:
    """Run it like the ordinary replica, without draining."""
    await serve_undrained(node, StaleCache)
