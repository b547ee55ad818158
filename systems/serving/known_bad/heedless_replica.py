"""A known-bad replica of known capacity: it works on requests whose deadline has passed."""

from __future__ import annotations

import torch

from harness.http.batched_server import RequestBatch
from harness.node.context import NodeContext
from systems.serving.limited_replica import Config, Server


class Heedless(Server):
    """The limited replica's server, for which no deadline ever passes."""

    def expired(self, batch: RequestBatch) -> bool:
        return False


async def main(node: NodeContext) -> None:
    """Run it like the limited replica."""
    torch.set_num_threads(1)
    await node.serve_batches(Heedless(node, node.config(Config)).handle)
