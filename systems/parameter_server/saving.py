"""The master's checkpoints: complete, in the background, one at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final

import msgspec

from harness.model.training_events import NotSaved, Saved
from systems.parts.checkpoint.manifest import Shard
from systems.parts.checkpoint.refusals import TooLate, why_of
from systems.parts.checkpoint.saver import Saver
from systems.parts.checkpoint.store import Checkpoints
from systems.training.trainer import Trainer

_NAME: Final = "master"
"""In the names of its files: a term has a folder of its own, and one master."""


class Saving:
    """Saves a trainer's state whenever that is due, in a thread that ends with it.

    Calls `told` with the results, in the thread or in `step_done`. `now_ns` is a monotonic clock.
    """

    def __init__(
        self,
        term: int,
        checkpoints: Checkpoints,
        told: Callable[[Saved | NotSaved], None],
        thread: Executor,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._term = term
        self._checkpoints = checkpoints
        self._told = told
        self._progress: dict[int, msgspec.Raw] = {}
        """The trainer's progress, by step: a save may still be under way when the next one is due and refused."""
        self._saver = Saver(checkpoints, _NAME, thread, written=self._written, failed=self._failed, now_ns=now_ns)

    def step_done(self, trainer: Trainer, progress: msgspec.Raw) -> float:
        """Begin a checkpoint if one is due, with its `progress`; returns for how many seconds the training stalled."""
        if not self._checkpoints.schedule.due(trainer.step):
            return 0.0
        self._progress[trainer.step] = progress
        return self._saver.save(trainer.step, 0, 1, trainer.tensors())

    def close(self) -> None:
        """Finish the checkpoint that is under way."""
        self._saver.close()

    def _written(self, step: int, world: int, shard: Shard) -> None:
        try:
            self._checkpoints.commit(step, _NAME, [shard], self._progress.pop(step))
        except (OSError, TooLate) as error:
            self._not_saved(step, why_of(error))
        else:
            self._told(Saved(generation=self._term, step=step))

    def _failed(self, step: int, why: str) -> None:
        self._progress.pop(step)
        self._not_saved(step, why)

    def _not_saved(self, step: int, why: str) -> None:
        self._told(NotSaved(generation=self._term, step=step, why=why))
