"""The pacer of a simulated host: its loop's own timers are exact."""

from __future__ import annotations

import asyncio

from harness.simulation.loop import HostLoop


class SimulatedPacer:
    """See `harness.node.machine.Pacer`."""

    def __init__(self, loop: HostLoop) -> None:
        self._loop = loop
        self._sleepers: dict[asyncio.Future[None], None] = {}

    async def sleep_until(self, at_ns: int) -> None:
        if round(self._loop.time() * 1e9) >= at_ns:
            return
        future = self._loop.create_future()
        self._sleepers[future] = None
        timer = self._loop.call_at(at_ns / 1e9 + 1e-9, self._wake, future)  # never too early: floats round
        try:
            await future
        finally:
            timer.cancel()
            self._sleepers.pop(future, None)

    def wake_all(self) -> None:
        for future in list(self._sleepers):
            self._wake(future)

    def close(self) -> None:
        self.wake_all()

    def _wake(self, future: asyncio.Future[None]) -> None:
        if not future.done():
            future.set_result(None)
