"""The embedded fault plane as a process of a run. It is forked like a node, so it starts in milliseconds."""

from __future__ import annotations

import msgspec

from faults.plane.__main__ import serve
from harness.node.context import NodeContext


class Config(msgspec.Struct, frozen=True):
    """The process's settings."""

    seed: int


async def main(node: NodeContext) -> None:
    """Serve the API on the process's own address."""
    await serve(*node.listen, node.config(Config).seed)
