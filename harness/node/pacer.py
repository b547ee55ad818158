"""Waking up on time: event loops count in milliseconds, open-loop load needs microseconds, so a timerfd wakes the loop."""

from __future__ import annotations

import asyncio
import ctypes
import heapq
import os
import time
from itertools import count
from typing import Final

_CLOCK_MONOTONIC: Final = 1
_TFD_NONBLOCK: Final = 0o4000
_TFD_CLOEXEC: Final = 0o2000000
_TFD_TIMER_ABSTIME: Final = 1
_NS: Final = 1_000_000_000


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class TimerPacer:
    """Sleeps of one event loop until given times of the monotonic clock, woken by one timer of the kernel (Linux timerfd)."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._timer = self._libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK | _TFD_CLOEXEC)
        if self._timer < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create failed")
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()
        asyncio.get_running_loop().add_reader(self._timer, self._wake)

    async def sleep_until(self, at_ns: int) -> None:
        """Return at `at_ns` of `time.monotonic_ns()`, at once if that is past."""
        if time.monotonic_ns() >= at_ns:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (at_ns, next(self._order), future))
        if self._sleepers[0][2] is future:
            self._arm(at_ns)
        await future

    def wake_all(self) -> None:
        """Have everybody who sleeps return now."""
        for _, _, future in self._sleepers:
            if not future.done():
                future.set_result(None)
        self._sleepers.clear()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._timer)
        os.close(self._timer)

    def _wake(self) -> None:
        os.read(self._timer, 8)
        now_ns = time.monotonic_ns()
        while self._sleepers and self._sleepers[0][0] <= now_ns:
            future = heapq.heappop(self._sleepers)[2]
            if not future.done():
                future.set_result(None)
        if self._sleepers:
            self._arm(self._sleepers[0][0])

    def _arm(self, at_ns: int) -> None:
        at = _Itimerspec(_Timespec(0, 0), _Timespec(*divmod(at_ns, _NS)))
        if self._libc.timerfd_settime(self._timer, _TFD_TIMER_ABSTIME, ctypes.byref(at), None) != 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime failed")
