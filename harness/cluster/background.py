"""What faults do while their windows hold: one piece of work a window, ended by its heal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

from harness.model.fault import Evidence

T = TypeVar("T")

Work = Callable[[asyncio.Event], Coroutine[Any, Any, Evidence]]
"""Goes on until the event is set, and soon after returns what was seen."""


async def seen_on_each(watches: Iterable[Coroutine[Any, Any, tuple[bool, str]]]) -> Evidence:
    """Watch several nodes side by side, each for whether the fault acted on it and what was seen; it has to act on all."""
    seen = await asyncio.gather(*watches)
    return Evidence(acted=all(acted for acted, _ in seen), text="; ".join(text for _, text in seen))


class Background:
    """The work of a run's windows, by label."""

    def __init__(self) -> None:
        self._work: dict[str, tuple[asyncio.Event, asyncio.Task[Evidence]]] = {}

    def begin(self, label: str, work: Work) -> None:
        """Start a window's work; a window has one."""
        over = asyncio.Event()
        self._work[label] = over, asyncio.create_task(work(over))

    async def end(self, label: str) -> Evidence | None:
        """Have a window's work come to its end: what it saw, or None where it was never begun. Raises what it raised."""
        if label not in self._work:
            return None
        over, task = self._work.pop(label)
        over.set()
        return await task

    async def cancel(self) -> None:
        """Break off whatever is left of a run that ends before its windows."""
        left = [task for _, task in self._work.values()]
        self._work.clear()
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def over_within(over: asyncio.Event, seconds: float) -> bool:
    """Wait for the end of a window for so long; whether it came."""
    try:
        async with asyncio.timeout(seconds):
            await over.wait()
    except TimeoutError:
        return False
    return True


async def unless_over(over: asyncio.Event, awaited: Awaitable[T]) -> T | None:
    """What is awaited; None, and it is cancelled, where the window ends before."""
    doing, ending = asyncio.ensure_future(awaited), asyncio.ensure_future(over.wait())
    try:
        await asyncio.wait([doing, ending], return_when=asyncio.FIRST_COMPLETED)
        return doing.result() if doing.done() else None
    finally:
        ending.cancel()
        doing.cancel()
        await asyncio.gather(ending, doing, return_exceptions=True)
