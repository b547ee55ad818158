"""Wake sleepers on time: event loops count in milliseconds, but open-loop load needs microseconds."""

from __future__ import annotations

import asyncio
import heapq
import time
from itertools import count

from harness.node.alarm import alarm


class TimerPacer:
    """The sleepers of one event loop, each until a time of the monotonic clock; one alarm wakes them all."""

    def __init__(self) -> None:
        self._alarm = alarm(asyncio.get_running_loop(), self._wake)
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()

    async def sleep_until(self, at_ns: int) -> None:
        """Return at `at_ns` of `time.monotonic_ns()`, or at once if that is past."""
        if time.monotonic_ns() >= at_ns:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (at_ns, next(self._order), future))
        if self._sleepers[0][2] is future:
            self._alarm.set(at_ns)
        await future

    def wake_all(self) -> None:
        """Make every sleeper return now."""
        for _, _, future in self._sleepers:
            if not future.done():
                future.set_result(None)
        self._sleepers.clear()

    def close(self) -> None:
        self._alarm.close()

    def _wake(self) -> None:
        now_ns = time.monotonic_ns()
        while self._sleepers and self._sleepers[0][0] <= now_ns:
            future = heapq.heappop(self._sleepers)[2]
            if not future.done():
                future.set_result(None)
        if self._sleepers:
            self._alarm.set(self._sleepers[0][0])
