"""Tasks and futures that sets order by their first use instead of by their addresses.

`asyncio.TaskGroup` and `asyncio.wait` iterate over sets of them: ordered by address, two equal runs would differ.
"""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

_numbers = count(1)


def begin_numbers() -> None:
    """Count from 1 again, for a new world."""
    global _numbers
    _numbers = count(1)


class _Counted:
    """Something with a number as its hash, assigned at the first use."""

    _number = 0

    def __hash__(self) -> int:
        if not self._number:
            self._number = next(_numbers)
        return self._number

    __eq__ = object.__eq__


class CountedTask(_Counted, asyncio.Task[Any]):
    """A task with a number as its hash."""


class CountedFuture(_Counted, asyncio.Future[Any]):
    """A future with a number as its hash."""
