"""Timers that fire within tens of microseconds. The event loop's own are accurate to one millisecond.

An alarm is set for the earliest entry of a heap.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from typing import Final

from harness.node.alarm import alarm

now_ns = time.monotonic_ns
"""The fault plane's only clock, in nanoseconds."""

FOREVER_NS: Final = 1 << 62
"""A time that never comes. Later times are cut to it, since they must fit in 64 bits."""

_MAX_LEAD_NS: Final = 300_000
_MIN_LEAD_NS: Final = 20_000
"""Shorter waits are spent polling: setting the alarm and waking up would take as long."""
_LEAD_DECAY: Final = 256
_WAIT_TO_POLLING: Final = 4
_MOST_CANCELLED: Final = 256
"""How many cancelled entries may stay in the heap, or half of all if that is more. Removing them takes a pass over all."""
_POLLING: Final = -(1 << 63)
"""Stands for the alarm's time while the loop polls. It is earlier than any time, so nothing sets the alarm."""


class Timer:
    """A callback at a time, unless it is cancelled before."""

    __slots__ = ("_on_cancel", "callback")

    def __init__(self, callback: Callable[[], None], on_cancel: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback
        """None once it has been called or cancelled."""
        self._on_cancel = on_cancel

    def cancel(self) -> None:
        if self.callback is not None:
            self.callback = None
            self._on_cancel()


class Timers:
    """Runs callbacks in the order of their times, and callbacks of the same time in the order of the calls to `at`.

    A sleeping process wakes up late, by some tens of microseconds that depend on the machine. So the alarm is set early, by
    as much as it was late recently, and the rest of the wait is spent polling: the loop keeps turning and handles other
    events. Polling is for the earliest entry only. It takes at most a quarter of the wait for that entry, or the 20
    microseconds that sleeping would take as well, so its cost does not grow with the number of entries.
    """

    now_ns = staticmethod(now_ns)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._heap: list[tuple[int, int, Timer]] = []
        self._cancelled = 0
        """How many entries of the heap are cancelled."""
        self._order = itertools.count()
        self._lead_ns = _MAX_LEAD_NS
        """How late the alarm is expected to ring."""
        self._alarm_ns: int | None = None
        """When the alarm will ring; `_POLLING` while the loop polls, None if it is not set."""
        self._poll_until_ns = 0
        self._alarm = alarm(loop, self._ring)

    def at(self, due_ns: int, callback: Callable[[], None]) -> Timer:
        """Call `callback` at `due_ns` or shortly after, but never before this method has returned."""
        due_ns = min(due_ns, FOREVER_NS)
        timer = Timer(callback, self._count_cancelled)
        heapq.heappush(self._heap, (due_ns, next(self._order), timer))
        if self._alarm_ns is None or due_ns - _MIN_LEAD_NS < self._alarm_ns:
            self._set_alarm(self._wake_ns(due_ns, now_ns()))
        return timer

    def close(self) -> None:
        self._heap.clear()
        self._alarm.close()

    def _count_cancelled(self) -> None:
        self._cancelled += 1
        if self._cancelled > max(_MOST_CANCELLED, len(self._heap) // 2):
            self._heap[:] = [entry for entry in self._heap if entry[2].callback is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def _wake_ns(self, due_ns: int, since_ns: int) -> int:
        """When to begin polling for an entry that has been the earliest since `since_ns`."""
        return due_ns - max(min(self._lead_ns, (due_ns - since_ns) // _WAIT_TO_POLLING), _MIN_LEAD_NS)

    def _set_alarm(self, wake_ns: int) -> None:
        if self._alarm_ns is None or wake_ns < self._alarm_ns:
            self._alarm_ns = wake_ns
            self._alarm.set(wake_ns)

    def _ring(self) -> None:
        if self._alarm_ns is None or self._alarm_ns == _POLLING:
            return  # it rang for an entry that has been handled since
        woken_ns = now_ns()
        self._learn(woken_ns - self._alarm_ns)
        if self._heap:  # its entry may have been cancelled, and the next one may be far away
            self._poll_until_ns = min(self._heap[0][0], woken_ns + _MAX_LEAD_NS)
        self._poll()

    def _learn(self, late_ns: int) -> None:
        """Follow the recent lateness: upward at once, downward slowly."""
        self._lead_ns = min(max(late_ns, self._lead_ns - self._lead_ns // _LEAD_DECAY), _MAX_LEAD_NS)

    def _poll(self) -> None:
        # Entries that become due meanwhile wait for the loop's next iteration, so that traffic is never starved.
        until_ns = now_ns()
        self._alarm_ns = _POLLING
        heap = self._heap
        while heap and heap[0][0] <= until_ns:
            timer = heapq.heappop(heap)[2]
            if timer.callback is None:
                self._cancelled -= 1
            else:
                callback, timer.callback = timer.callback, None
                self._call(callback)
        while heap and heap[0][2].callback is None:
            heapq.heappop(heap)
            self._cancelled -= 1
        self._alarm_ns = None
        if not heap:
            return
        due_ns = heap[0][0]
        wake_ns = self._wake_ns(due_ns, until_ns)
        if due_ns <= self._poll_until_ns or wake_ns <= until_ns:
            self._alarm_ns = _POLLING
            self._loop.call_soon(self._poll)
        else:
            self._set_alarm(wake_ns)

    def _call(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except Exception as error:  # reported as the loop reports its own; the other timers go on
            self._loop.call_exception_handler({"message": "a timer of the fault plane failed", "exception": error})
