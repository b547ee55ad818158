"""Tasks and futures whose order in sets is that of their first use, not of their addresses.

`asyncio.TaskGroup` and `asyncio.wait` keep sets of them and go over these: by address, two equal runs would differ.
"""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

_numbers = count(1)


def begin_numbers() -> None:
    """Count from 1 again: a new world."""
    global _numbers
    _numbers = count(1)


class _Counted:
    """With a number for a hash, given when it is first asked for."""

    _number = 0

    def __hash__(self) -> int:
        if not self._number:
            self._number = next(_numbers)
        return self._number

    __eq__ = object.__eq__


class CountedTask(_Counted, asyncio.Task[Any]):
    """A task with a number for a hash."""


class CountedFuture(_Counted, asyncio.Future[Any]):
    """A future with a number for a hash."""
