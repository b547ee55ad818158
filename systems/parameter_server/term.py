"""The parts of a master's term in every mode: its settings, and waiting for changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from systems.parameter_server.bugs import Rules

LOOK_S: Final = 0.01
"""How often a waiting pull looks whether a worker is overdue."""

WAIT_S: Final = 0.5
"""A pull waits at most this long, so that its worker knows that the master is alive."""

BRIEF_S: Final = 0.1
"""A pull with gradients waits at most this long: its worker sends them again soon if there is no answer."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of a master."""

    name: str
    workers: Sequence[str]
    model: str
    seed: int
    step_s: float
    checkpoint_every: int
    checkpoints_kept: int
    staleness: int | None
    """The number of clocks that a worker may be ahead of the slowest; None: any number."""
    parts: int
    """The number of workers' batches that make one batch of the model."""
    rules: Rules


class Changes:
    """Wakes all waiting tasks when something changes."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def awaited(self) -> bool:
        """Whether some task waits for a change that has not come yet."""
        return any(not waiting.done() for waiting in self._waiting)

    def tell(self) -> None:
        """Something has changed."""
        for waiting in self._waiting:
            _wake(waiting)

    async def wait(self, timeout_s: float) -> None:
        """Wait for a change, for `timeout_s` at most."""
        loop = asyncio.get_running_loop()
        changed = loop.create_future()
        timer = loop.call_later(timeout_s, _wake, changed)  # a fraction of the cost of `asyncio.timeout`
        self._waiting.add(changed)
        try:
            await changed
        finally:
            timer.cancel()
            self._waiting.discard(changed)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


async def until_work(
    changes: Changes, ended: Callable[[], bool], look: Callable[[float], bytes | float], wait_s: float
) -> bytes | None:
    """The work that `look` finds, as soon as there is some; None if the term ends, or after `wait_s`.

    `look` takes the time, and returns work, or the seconds until it has to look again even if nothing changes.
    """
    clock = asyncio.get_running_loop().time
    until_s = clock() + wait_s
    while not ended() and (now_s := clock()) < until_s:
        found = look(now_s)
        if isinstance(found, bytes):
            return found
        await changes.wait(found)
    return None
