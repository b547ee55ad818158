"""Replaces asyncio's functions for the running loop in a simulation.

asyncio's own functions ask the kernel for the process id each time, to notice a fork. A simulated run asks for its loop some
hundred thousand times, so these calls would take an eighth of its time.
"""

from __future__ import annotations

import asyncio
from asyncio import events
from collections.abc import Iterator
from contextlib import contextmanager

from harness.simulation.world import World


@contextmanager
def running_in(world: World) -> Iterator[None]:
    """Make the world's current loop the running one inside; between turns there is none."""

    def get_running_loop() -> asyncio.AbstractEventLoop:
        if world.turning is None:
            raise RuntimeError("no running event loop")
        return world.turning

    def _get_running_loop() -> asyncio.AbstractEventLoop | None:
        return world.turning

    were = events.get_running_loop, events._get_running_loop
    asyncio.get_running_loop = events.get_running_loop = get_running_loop
    asyncio._get_running_loop = events._get_running_loop = _get_running_loop
    try:
        yield
    finally:
        asyncio.get_running_loop, asyncio._get_running_loop = events.get_running_loop, events._get_running_loop = were
        events._set_running_loop(None)
