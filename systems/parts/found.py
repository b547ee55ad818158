"""What a node finds on its disk when it starts may not be durable: the process before it may have ended before a sync."""

from __future__ import annotations

import asyncio
from typing import Final

from harness.node.context import NodeContext

_AGAIN_S: Final = 0.1


async def durable(node: NodeContext, name: str) -> None:
    """Return when a power loss no longer takes the file back, if there is one. Call this before what it says is acted upon."""
    while True:
        try:
            return node.disk.sync(name)
        except OSError as error:
            node.log(f"the disk does not store {name}, which was found on it: {error.strerror or error}")
        await asyncio.sleep(_AGAIN_S)
