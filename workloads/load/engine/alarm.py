"""Wake an epoll to the microsecond, by a kernel timer in it (Linux timerfd): Python's epoll waits for whole milliseconds."""

from __future__ import annotations

import ctypes
import os
import select
import struct
from typing import Final

_CLOCK_MONOTONIC: Final = 1
_TFD_CLOEXEC: Final = 0o2000000
_TFD_TIMER_ABSTIME: Final = 1
_ITIMERSPEC: Final = struct.Struct("@4l")


class Alarm:
    """A timer in an epoll, which it wakes once each time it is set."""

    def __init__(self, epoll: select.epoll) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.fd: int = self._libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create failed")
        epoll.register(self.fd, select.EPOLLIN | select.EPOLLET)  # edge-triggered: nothing need be read
        self._at_ns = 0

    def set(self, at_ns: int) -> None:
        """Wake the epoll at this time of the monotonic clock instead of the time set before."""
        if at_ns != self._at_ns:
            self._at_ns = at_ns
            content = _ITIMERSPEC.pack(0, 0, *divmod(at_ns, 1_000_000_000))
            if self._libc.timerfd_settime(self.fd, _TFD_TIMER_ABSTIME, content, None):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
