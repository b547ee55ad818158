"""Work that goes on while fault windows hold: one piece per window, which the window's heal ends."""

from __future__ import annotations

import asyncio

from harness.model.evidence import Evidence
from harness.model.window_work import Work


class Background:
    """The work of a run's windows, by label."""

    def __init__(self) -> None:
        self._work: dict[str, tuple[asyncio.Event, asyncio.Task[Evidence]]] = {}

    def begin(self, label: str, work: Work) -> None:
        """Start a window's work, one piece at a time."""
        over = asyncio.Event()
        self._work[label] = over, asyncio.create_task(work(over))

    async def end(self, label: str) -> Evidence | None:
        """End a window's work and return what it saw, None if it was never begun. Raises what the work raised."""
        if label not in self._work:
            return None
        over, task = self._work.pop(label)
        over.set()
        return await task

    async def cancel(self) -> None:
        """Cancel all remaining work, for a run that ends before its windows do."""
        left = [task for _, task in self._work.values()]
        self._work.clear()
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
