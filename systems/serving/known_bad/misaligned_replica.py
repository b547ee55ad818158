"""A known-bad replica: each answer of a batch goes to the next request of the batch."""

from __future__ import annotations

from harness.node.context import NodeContext
from systems.serving.batching import Batcher
from systems.serving.replica import Config, Server, serve_undrained


class Misaligned(Server):
    """The ordinary replica's server, with the answers of a batch shifted by one."""

    def __init__(self, node: NodeContext, config: Config) -> None:
        super().__init__(node, config)
        self._batcher = Batcher(lambda rows: [*(answers := self._model.predict(rows))[-1:], *answers[:-1]], log=node.log)


async def main(node: NodeContext) -> None:
    """Run it like the ordinary replica, without draining."""
    await serve_undrained(node, Misaligned)
