"""A thread of a simulated node, beside the node's loop: the two take turns, and only one of them runs at a time.

It is a greenlet of the one real thread. It hands over to the loop when it blocks, which is at each operation of its disk, and
goes on when that is over. So the order is the seed's, and a crash may come between any two operations.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextvars import copy_context
from typing import Any, Final, Protocol

from greenlet import getcurrent, greenlet

NORMAL_CALLBACK_S: Final = 0.00002
"""The duration of a callback on a machine of ordinary speed."""


class Loop(Protocol):
    """The loop of the node's process."""

    running: SimulatedThread | None
    """The thread that runs now, instead of the loop."""

    def time(self) -> float: ...

    def block(self, seconds: float) -> None:
        """Block whatever runs now."""

    def call_later(self, delay: float, callback: Callable[[], object]) -> Any: ...


class SimulatedThread(Executor):
    """Runs what is submitted, one after another."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._work: deque[Callable[[], None]] = deque()
        self._greenlet: greenlet | None = None
        """None while there is nothing to do."""
        self._due_s = 0.0
        self._timer: Any = None

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()

        def work() -> None:
            if not done.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except Exception as error:
                done.set_exception(error)
            else:
                done.set_result(result)

        self._work.append(work)
        if self._greenlet is None:
            self._greenlet = greenlet(self._run)
            self._greenlet.gr_context = copy_context()
            self._wake_in(0.0)
        return done

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Finish everything, which blocks the loop. The arguments of other executors have no effect."""
        while self._greenlet is not None:
            self._timer.cancel()
            self._loop.block(max(0.0, self._due_s - self._loop.time()))
            self._go_on()

    def block(self, seconds: float) -> None:
        """Block this thread, which runs now, and let the loop go on."""
        self._wake_in(seconds)
        current = getcurrent()
        assert current.parent is not None  # noqa: S101 - `_go_on` has set it
        current.parent.switch()

    def _wake_in(self, seconds: float) -> None:
        self._due_s = self._loop.time() + seconds
        self._timer = self._loop.call_later(seconds, self._go_on)

    def _go_on(self) -> None:
        """Run until it blocks, or there is nothing to do. Raises what ends the process."""
        running = self._greenlet
        assert running is not None  # noqa: S101 - it is woken only while it has something to do
        running.parent = getcurrent()
        self._loop.running = self
        try:
            running.switch()
        finally:
            self._loop.running = None
        if running.dead:
            self._greenlet = None

    def _run(self) -> None:
        while self._work:
            self._work.popleft()()
