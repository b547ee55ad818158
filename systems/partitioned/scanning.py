"""The positions that a scan reads: the first ones of a range at which the owners hold something."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from systems.partitioned.messages import Places
from systems.partitioned.partition_map import Partition

AskPlaces = Callable[[str, Places], Awaitable[list[str] | None]]
"""Asks a node, which may be this one, for the positions at which it holds something; None if it did not answer."""


async def first_places(partition: Partition, low: str, high: str | None, limit: int, ask: AskPlaces) -> list[str] | None:
    """The first positions at which any node of a majority of each group holds something; None if no majority answered.

    They include everything acknowledged. If there are more than `limit`, one more is returned: the position to continue at.
    """
    asked = Places(low, high, limit + 1, partition.epoch)
    found: set[str] = set()
    for group in (partition.owners, partition.target) if partition.target else (partition.owners,):
        answers = await asyncio.gather(*(ask(name, asked) for name in group))
        told = [places for places in answers if places is not None]
        if len(told) * 2 <= len(group):
            return None
        found |= {place for places in told for place in places}
    # A list that is cut off holds more than `limit` positions. So none of these is beyond its end, and nothing is passed over.
    return sorted(found)[: limit + 1]
