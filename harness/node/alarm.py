"""Timers that are accurate to tens of microseconds; those of an event loop have a resolution of milliseconds."""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
import time
from collections.abc import Callable
from typing import Final, Protocol


class Alarm(Protocol):
    """Calls back once, at or shortly after the time that was set last."""

    def set(self, due_ns: int) -> None:
        """Ring at this time of the monotonic clock, instead of any time set before."""

    def ring_in(self, seconds: float) -> None:
        """Ring after this long, instead of at any time set before."""

    def close(self) -> None:
        """Cancel the alarm and release its timer."""


def alarm(loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> Alarm:
    """The most accurate alarm available: a timerfd on Linux, else the loop's own timer, which is exact if it is simulated."""
    if sys.platform == "linux":
        try:
            return _TimerFd(loop, ring)
        except NotImplementedError:  # a simulated loop watches no descriptors and has its own clock
            pass
    return _LoopTimer(loop, ring)


class _TimerFd:
    """Linux's timerfd (timerfd_create(2)) through the C library. Python's `os` has it from 3.13 on."""

    _NONBLOCK_CLOEXEC: Final = os.O_NONBLOCK | os.O_CLOEXEC
    _ABSOLUTE: Final = 1

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.timerfd_create(time.CLOCK_MONOTONIC, self._NONBLOCK_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create failed")
        self._spec = (ctypes.c_int64 * 4)()  # struct itimerspec: interval s, ns; value s, ns
        self._loop = loop
        self._ring = ring
        try:
            loop.add_reader(self._fd, self._read)
        except BaseException:
            os.close(self._fd)
            raise

    def set(self, due_ns: int) -> None:
        self._set(due_ns, self._ABSOLUTE)

    def ring_in(self, seconds: float) -> None:
        self._set(round(seconds * 1e9), 0)

    def close(self) -> None:
        self._loop.remove_reader(self._fd)
        os.close(self._fd)

    def _set(self, ns: int, flags: int) -> None:
        self._spec[2], self._spec[3] = divmod(max(ns, 1), 1_000_000_000)  # zero would disarm it
        if self._libc.timerfd_settime(self._fd, flags, self._spec, None) != 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime failed")

    def _read(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:
            return  # it was set again after it had rung and before this read
        self._ring()


class _LoopTimer:
    """The event loop's own timer."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._handle: asyncio.TimerHandle | None = None

    def set(self, due_ns: int) -> None:
        self.ring_in((due_ns - time.monotonic_ns()) / 1e9)

    def ring_in(self, seconds: float) -> None:
        self.close()
        self._handle = self._loop.call_later(max(0.0, seconds), self._ring)

    def close(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
