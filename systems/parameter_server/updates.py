"""The rules of the modes without rounds: which worker computes which batch, and which gradients count.

The master applies a gradient as soon as it comes, and records how many updates its parameters held ("Hogwild", Niu et al., NIPS
2011; "Downpour SGD", Dean et al., NIPS 2012). A gradient is of one batch of the data, computed by one worker; each batch
belongs to one worker at a time, and goes to another one only when that worker is gone. So every batch is applied once, in any
order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from systems.parameter_server.bugs import CORRECT, Rules
from systems.parameter_server.clocks import Clocks
from systems.parameter_server.protocol import Outcome


def parts_of(workers: int, shards: int) -> int:
    """The number of equal parts of a batch with `shards` shards: one for each worker, or fewer if that does not divide."""
    return max(parts for parts in range(1, workers + 1) if shards % parts == 0)


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """The batches that were applied: all before `next` except the `open` ones."""

    next: int = 0
    open: tuple[int, ...] = ()
    """In ascending order."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A batch for a worker to compute, and the number of updates in its parameters."""

    batch: int
    version: int


class Updates:
    """One term, at the master. Times are seconds of any monotonic clock."""

    def __init__(
        self,
        used: Used,
        version: int,
        *,
        bound: int | None,
        rules: Rules = CORRECT,
        moved: Callable[[str, bool], None] = lambda worker, present: None,
    ) -> None:
        """Continue after `version` updates that used these batches. Calls `moved` for workers that join or are left out."""
        self.version = version
        self._next = used.next
        self._waiting = list(used.open)
        """Batches to give out before any new one, in ascending order."""
        self._given: dict[str, Task] = {}
        self._last: dict[str, Task] = {}
        self._clocks = Clocks(bound, rules)
        self._rules = rules
        self._moved = moved

    @property
    def used(self) -> Used:
        """The batches applied so far."""
        if not self._rules.open_batches_saved:
            return Used(next=self._next)
        return Used(next=self._next, open=tuple(sorted([*self._waiting, *(task.batch for task in self._given.values())])))

    @property
    def waiting(self) -> tuple[int, ...]:
        """The batches that are given out next, in this order."""
        return tuple(self._waiting)

    @property
    def given(self) -> Mapping[str, Task]:
        """What each worker computes now."""
        return dict(self._given)

    @property
    def clocks(self) -> Mapping[str, int]:
        """The workers' clocks."""
        return self._clocks.now()

    def hear(self, worker: str, now_s: float) -> None:
        """A worker was heard."""
        if self._clocks.hear(worker, now_s):
            self._moved(worker, True)

    def pull(self, worker: str, now_s: float) -> Task | None:
        """The batch for a worker to compute with the current parameters; None if it has to wait for slower workers.

        Asking again gives the same batch with newer parameters; a gradient for the first answer is refused from then on.
        """
        self.hear(worker, now_s)
        self._leave_out(self._clocks.silent(now_s))
        if worker in self._given:
            batch = self._given[worker].batch
        elif self._clocks.may_go_on(worker, frozenset(self._given)):
            batch = self._new_batch()
        else:
            return None
        self._given[worker] = Task(batch=batch, version=self.version)
        return self._given[worker]

    def push(self, worker: str, task: Task, now_s: float) -> Outcome:
        """Whether to apply a gradient: if `HELD`, at once, as update number `version` from before this call."""
        self.hear(worker, now_s)
        outcome = self.judged(worker, task)
        if outcome is Outcome.HELD:
            if self._given.get(worker) == task:
                del self._given[worker]
            self._last[worker] = task
            self._clocks.tick(worker)
            self.version += 1
        return outcome

    def judged(self, worker: str, task: Task) -> Outcome:
        """What would become of a gradient that came now."""
        if self._given.get(worker) == task:
            return Outcome.HELD
        if self._last.get(worker) == task:
            return Outcome.AGAIN if self._rules.updates_count_once else Outcome.HELD
        return Outcome.LATE if self._rules.tasks_compared else Outcome.HELD

    def _new_batch(self) -> int:
        if self._waiting:
            return self._waiting.pop(0)
        self._next += 1
        return self._next - 1

    def _leave_out(self, workers: Sequence[str]) -> None:
        for worker in workers:
            self._moved(worker, False)
            task = self._given.pop(worker, None)
            if task is not None and self._rules.batches_given_again:
                self._waiting = sorted([*self._waiting, task.batch])
