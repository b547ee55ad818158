"""Reads that wait until the core has confirmed that everything committed before them is applied."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Reads:
    """Numbers reads, and wakes each when the core is done with its number."""

    def __init__(self) -> None:
        self._last_number = 0
        self._waiting: dict[int, asyncio.Future[None]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    async def confirmed(self, ask: Callable[[int], None]) -> None:
        """Call `ask` with a new number, and return when that number is ready. Raises what `ask` or `refuse` does."""
        self._last_number += 1
        number = self._last_number
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            ask(number)
            await waiting
        finally:
            del self._waiting[number]

    def ready(self, number: int) -> None:
        waiting = self._waiting.get(number)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def refuse(self, error: Callable[[], Exception]) -> None:
        """End every read with an error."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(error())
