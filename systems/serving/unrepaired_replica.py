"""A replica known to be wrong: it says that its weights are damaged, and waits for somebody to do something about it."""

from __future__ import annotations

import torch

from harness.node import Node
from systems.serving.replica import Config, Server


class Unrepaired(Server):
    """The ordinary replica's server, which loads nothing again."""

    def _repair(self) -> None:
        pass


async def main(node: Node) -> None:
    """As the ordinary replica, without the draining."""
    torch.set_num_threads(1)
    server = Unrepaired(node, node.config(Config))
    await node.serve_runs(server.handle)
