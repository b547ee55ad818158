"""What a worker does with its time, and so whether it was the worker or the server that held calls up."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

IDLE_SHARE: Final = 0.05
"""A worker that is idle for less than this has no time to spare."""
_BACKLOG_NS: Final = 1_000_000
"""So late, the oldest call that has not left counts as held up."""


class RunQueue:
    """How long this thread has waited for a processor though it had work (Linux, proc(5), `/proc/[pid]/schedstat`)."""

    def __init__(self) -> None:
        try:
            self._fd: int | None = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # a kernel that does not count it: then it is not known, and taken for none
            self._fd = None

    def waited_ns(self) -> int:
        """Since the thread began; 0 if the kernel does not count it."""
        return 0 if self._fd is None else int(os.pread(self._fd, 100, 0).split()[1])


class Usage:
    """Counts from `begin` on. An interval in which calls were held up at its end is blamed on the side that was busy in it.

    A worker without idle time is `saturated`: calls wait for it. One that is idle while calls wait for a free connection is
    `blocked`: they wait for answers of the server, or for more connections. To wait for a processor is not to be idle.
    """

    def __init__(self, waited_ns: Callable[[], int] | None = None) -> None:
        """`waited_ns` is how long this thread has waited for a processor so far; asked of the kernel if not given."""
        self.busy_ns = 0
        self.queued_ns = 0
        self.saturated_ns = 0
        self.blocked_ns = 0
        self._from_ns = 0
        self._idle_ns = 0
        self._ask = waited_ns or RunQueue().waited_ns
        self._waited_ns = self._ask()

    def begin(self, now_ns: int) -> None:
        """Count from here."""
        self.busy_ns = self.queued_ns = self.saturated_ns = self.blocked_ns = self._idle_ns = 0
        self._from_ns, self._waited_ns = now_ns, self._ask()

    def idle(self, ns: int) -> None:
        """Nothing was done for so long: the wait for something to do, or a look that found nothing."""
        self._idle_ns += ns

    def interval(self, now_ns: int, next_due_ns: int) -> None:
        """An interval ends; the oldest call that has not left was, or will be, due at `next_due_ns`."""
        spent_ns, waited_ns = now_ns - self._from_ns, self._ask()
        queued_ns = min(waited_ns - self._waited_ns, spent_ns)
        idle_ns = max(min(self._idle_ns, spent_ns) - queued_ns, 0)  # who is woken late was meant to be idle until then
        self.busy_ns += spent_ns - idle_ns
        self.queued_ns += queued_ns
        if now_ns - next_due_ns > _BACKLOG_NS:
            if idle_ns < IDLE_SHARE * spent_ns:
                self.saturated_ns += spent_ns
            else:
                self.blocked_ns += spent_ns
        self._from_ns, self._idle_ns, self._waited_ns = now_ns, 0, waited_ns
