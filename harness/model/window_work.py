"""Work that a fault does while its window holds, and ways to wait for the window's end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

from harness.model.evidence import Evidence

T = TypeVar("T")

Work = Callable[[asyncio.Event], Coroutine[Any, Any, Evidence]]
"""Runs until the event is set, and soon after that returns the evidence."""


async def seen_on_each(watches: Iterable[Coroutine[Any, Any, tuple[bool, str]]]) -> Evidence:
    """Watch several nodes concurrently. Each watch returns whether the fault acted, and what was seen; it must act on all."""
    seen = await all_done(watches)
    return Evidence(acted=all(acted for acted, _ in seen), text="; ".join(text for _, text in seen))


async def all_done(awaited: Iterable[Awaitable[T]]) -> list[T]:
    """The results of all. If some raise, the others are awaited, too, before the first error is raised.

    `asyncio.gather` leaves them under way: what a fault then undoes might be done only after that.
    """
    results = await asyncio.gather(*awaited, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]


async def over_within(over: asyncio.Event, seconds: float) -> bool:
    """Wait up to `seconds` for the end of a window. Returns whether it came."""
    try:
        async with asyncio.timeout(seconds):
            await over.wait()
    except TimeoutError:
        return False
    return True


async def unless_over(over: asyncio.Event, awaited: Awaitable[T]) -> T | None:
    """The awaited result; None if the window ends first, and then the awaitable is cancelled."""
    doing, ending = asyncio.ensure_future(awaited), asyncio.ensure_future(over.wait())
    try:
        await asyncio.wait([doing, ending], return_when=asyncio.FIRST_COMPLETED)
        return doing.result() if doing.done() else None
    finally:
        ending.cancel()
        doing.cancel()
        await asyncio.gather(ending, doing, return_exceptions=True)
