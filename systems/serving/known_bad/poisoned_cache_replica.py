"""A known-bad replica: it empties its cache for the next model, and then caches answers of the previous one."""

from __future__ import annotations

from harness.node.context import NodeContext
from systems.serving.prediction_cache import PredictionCache
from systems.serving.replica import Config, Server, serve_undrained


class _EmptiedInPlace(PredictionCache):
    """A cache that outlives its model: the rest of a batch of the old model's answers still gets in."""

    def successor(self) -> PredictionCache:
        self._answers.clear()
        return self


class PoisonedCache(Server):
    """The ordinary replica's server with such a cache."""

    def __init__(self, node: NodeContext, config: Config) -> None:
        super().__init__(node, config)
        self._cache = _EmptiedInPlace(config.cache) if config.cache else None


async def main(node: NodeContext) -> None:
    """Run it like the ordinary replica, without draining."""
    await serve_undrained(node, PoisonedCache)
