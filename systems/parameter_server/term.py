"""What a master's term is made of in every mode: its settings, and waiting for something to change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from systems.parameter_server.bugs import Rules

CHECKPOINTS: Final = "checkpoints"
LOOK_S: Final = 0.01
"""How often a pull that waits looks whether a worker is overdue."""

WAIT_S: Final = 0.5
"""A pull waits so long and no longer, so that its worker knows that the master is there."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a master needs to know."""

    name: str
    workers: Sequence[str]
    model: str
    seed: int
    step_s: float
    checkpoint_every: int
    checkpoints_kept: int
    staleness: int | None
    """How many clocks a worker may be ahead of the slowest; None: any number."""
    parts: int
    """How many of workers' own batches make one of the model's."""
    rules: Rules


class Changes:
    """Wakes all that wait when something has changed."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def tell(self) -> None:
        """Something has changed."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def wait(self, timeout_s: float) -> None:
        """Wait for a change, for so long at most."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            return


async def until_work(changes: Changes, ended: Callable[[], bool], look: Callable[[float], bytes | float]) -> bytes | None:
    """The work that `look` finds, as soon as there is some; None if the term has ended, or after `WAIT_S`.

    `look` is given the time, and returns work or for how many seconds it need not look again unless something changes.
    """
    clock = asyncio.get_running_loop().time
    until_s = clock() + WAIT_S
    while not ended() and (now_s := clock()) < until_s:
        found = look(now_s)
        if isinstance(found, bytes):
            return found
        await changes.wait(found)
    return None
