"""A fault plane's clock, as its streams and toxics see it: the real one (`timers`), or a simulation's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """A scheduled callback."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Tells the time and calls back on time."""

    def now_ns(self) -> int:
        """Nanoseconds of a clock that never goes back."""

    def at(self, due_ns: int, callback: Callable[[], None]) -> Timer:
        """Call `callback` at `due_ns` or shortly after, but never before this method has returned."""
