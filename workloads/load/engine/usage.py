"""How a worker spends its time, which shows whether the worker or the server held calls up."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

IDLE_SHARE: Final = 0.05
"""A worker that is idle for a smaller share than this is fully busy."""
_BACKLOG_NS: Final = 1_000_000
"""The oldest call that has not left counts as held up if it is later than this."""


class RunQueue:
    """How long this thread has waited for a CPU although it had work (Linux, proc(5), `/proc/[pid]/schedstat`)."""

    def __init__(self) -> None:
        try:
            self._fd: int | None = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # a kernel that does not count it: unknown, and taken as 0
            self._fd = None

    def waited_ns(self) -> int:
        """Since the thread began; 0 if the kernel does not count it."""
        return 0 if self._fd is None else int(os.pread(self._fd, 100, 0).split()[1])


class Usage:
    """Counts from `begin` on. An interval at whose end calls were held up is blamed on the side that was busy in it.

    A worker without idle time is `saturated`: calls wait for it. One that is idle while calls wait for a free connection is
    `blocked`: they wait for the server's answers, or for more connections. Waiting for a CPU does not count as idle.
    """

    def __init__(self, waited_ns: Callable[[], int] | None = None) -> None:
        """`waited_ns` returns how long this thread has waited for a CPU so far; by default the kernel is asked."""
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
        """Nothing was done for `ns`: the wait for something to do, or a look that found nothing."""
        self._idle_ns += ns

    def interval(self, now_ns: int, next_due_ns: int) -> None:
        """End an interval; the oldest call that has not left was, or will be, due at `next_due_ns`."""
        spent_ns, waited_ns = now_ns - self._from_ns, self._ask()
        queued_ns = min(waited_ns - self._waited_ns, spent_ns)
        idle_ns = max(min(self._idle_ns, spent_ns) - queued_ns, 0)  # a worker woken late was meant to be idle until then
        self.busy_ns += spent_ns - idle_ns
        self.queued_ns += queued_ns
        if now_ns - next_due_ns > _BACKLOG_NS:
            if idle_ns < IDLE_SHARE * spent_ns:
                self.saturated_ns += spent_ns
            else:
                self.blocked_ns += spent_ns
        self._from_ns, self._idle_ns, self._waited_ns = now_ns, 0, waited_ns
