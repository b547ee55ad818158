"""A replica that runs out of memory at a pass with a heavy image, as model servers do, and fails all requests of that pass."""

from __future__ import annotations

from typing import Final

from harness.node.context import NodeContext
from systems.serving.batching import Batcher
from systems.serving.messages import Prediction
from systems.serving.replica import Config, Server, serve_undrained

MOST_INK: Final = 385
"""An image whose pixels sum to more is heavy: one in fifty is, and none of those that health checks use."""


class Fragile(Server):
    """The ordinary replica's server, with a model that takes a heavy image only alone."""

    def __init__(self, node: NodeContext, config: Config) -> None:
        super().__init__(node, config)
        self._batcher = Batcher[bytes](self._predict, log=node.log)

    def _predict(self, rows: list[bytes]) -> list[Prediction]:
        if len(rows) > 1 and any(sum(memoryview(row).cast("d")) > MOST_INK for row in rows):
            raise MemoryError(f"{len(rows)} images, and a heavy one among them")
        return self._model.predict(rows)


async def main(node: NodeContext) -> None:
    """Run it like the ordinary replica, without draining."""
    await serve_undrained(node, Fragile)
