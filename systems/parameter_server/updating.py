"""A master's term in the modes without rounds: from the newest checkpoint, it applies every gradient as it comes."""

from __future__ import annotations

import asyncio

import msgspec
import torch

from harness.model.training_events import BatchGiven, Membership, Resumed, WorkRefused, kind_of
from harness.node.context import NodeContext
from systems.parameter_server.checkpoints import TermCheckpoints
from systems.parameter_server.messages import Buffer, Pull, Push, Work, pack
from systems.parameter_server.parameters import at_batch, parameters_of, rows_of
from systems.parameter_server.protocol import Outcome
from systems.parameter_server.saving import Saving
from systems.parameter_server.shown import ShownUpdates
from systems.parameter_server.term import LOOK_S, WAIT_S, Changes, Settings, until_work
from systems.parameter_server.updates import Task, Updates, Used
from systems.parameter_server.weighing import apply_update, update_trainer, weight
from systems.parts.sampler import LedgerState
from systems.training.bugs import load
from systems.training.records import Done, Records
from systems.training.trainer import Applied, Trainer


class Progress(LedgerState, frozen=True):
    """The trainer's progress in a checkpoint, beside the tensors."""

    used: Used = Used()


class Updating:
    """One term. Two terms that resume the same checkpoint reach different parameters."""

    def __init__(self, term: int, settings: Settings, node: NodeContext, records: Records) -> None:
        self.term = term
        self._settings = settings
        self._node = node
        self._records = records
        kind = load(settings.rules.trainer, Trainer)
        self._trainer = update_trainer(kind, settings.model, settings.seed, settings.parts)
        self._checkpoints = TermCheckpoints(term, settings, node, self._trainer.identity())
        self._ended = False
        self._changes = Changes()
        self._opens_s: dict[str, float] = {}
        """By worker, the earliest time for its next batch."""
        self._given_ns: dict[str, int] = {}
        used = self._resume()
        self._updates = Updates(used, self._trainer.step, bound=settings.staleness, rules=settings.rules, moved=self._moved)
        self._before = Applied(loss=0.0, gradient_norm=0.0)
        self._parameters: bytes | None = None
        self._saving = Saving(term, self._checkpoints.own, records.event, node.thread(), node.monotonic_ns)

    def end(self) -> None:
        """Stop all work: the term is over."""
        self._ended = True
        self._changes.tell()

    async def run(self) -> None:
        """Return when the term is over. Requests do the work."""
        try:
            while not self._ended:
                await self._changes.wait(WAIT_S)
        finally:
            self._saving.close()

    def shown(self) -> ShownUpdates:
        """What it has given out, for the system's invariant."""
        updates = self._updates
        return ShownUpdates(
            version=updates.version,
            next=updates.used.next,
            waiting=updates.waiting,
            given=updates.given,
            clocks=updates.clocks,
            bound=self._settings.staleness,
            judged=updates.judged,
        )

    # ------------------------------------------------------------------------------------------------------- requests

    async def pull(self, pull: Pull, wait_s: float) -> bytes | None:
        """The work for a worker, as soon as there is some; None if the term ends, or nothing comes up for `wait_s`."""
        return await until_work(self._changes, lambda: self._ended, lambda now_s: self._look(pull, now_s), wait_s)

    def _look(self, pull: Pull, now_s: float) -> bytes | float:
        opens_s = self._opens_s.get(pull.worker, now_s)
        if now_s < opens_s:
            self._updates.hear(pull.worker, now_s)
            return min(opens_s - now_s, LOOK_S)
        task = self._updates.pull(pull.worker, now_s)
        if task is None:
            return LOOK_S
        self._opens_s[pull.worker] = now_s + self._settings.step_s
        self._given_ns[pull.worker] = self._node.monotonic_ns()
        told = BatchGiven(term=self.term, worker=pull.worker, batch=task.batch)
        self._node.event(kind_of(told), told)
        return self._work(task)

    def push(self, push: Push, data: Buffer) -> Outcome:
        """Apply a gradient if it counts. Raises `Damaged` if it does not fit this model."""
        (row,) = rows_of(data, 1, self._trainer.row)
        task, version = Task(batch=push.batch, version=push.step), self._updates.version
        outcome = Outcome.LATE
        if push.whole and not self._ended:
            outcome = self._updates.push(push.worker, task, asyncio.get_running_loop().time())
        if outcome is Outcome.HELD:
            self._apply(push, row, version)
            self._changes.tell()
        elif outcome is Outcome.LATE:
            why = f"batch {push.batch} is not its own any more"
            self._records.event(WorkRefused(generation=self.term, step=push.step, sender=push.worker, why=why))
        return outcome

    def alive(self, worker: str) -> None:
        """A worker says that it is alive."""
        self._updates.hear(worker, asyncio.get_running_loop().time())

    def _work(self, task: Task) -> bytes:
        if self._parameters is None:
            self._parameters = parameters_of(self._trainer)
        work = Work(
            term=self.term,
            step=task.version,
            batch=task.batch,
            shards=tuple(range(self._trainer.order.shards)),
            whole=True,
            progress=at_batch(task.batch),
            loss=self._before.loss,
            gradient_norm=self._before.gradient_norm,
        )
        return pack(work, self._parameters)

    # --------------------------------------------------------------------------------------------------------- updates

    def _apply(self, push: Push, row: torch.Tensor, version: int) -> None:
        trainer, now_ns = self._trainer, self._node.monotonic_ns()
        begun_ns = self._given_ns.get(push.worker, now_ns)
        self._before = apply_update(trainer, row, push.uses, self._weight(version - push.step))
        self._parameters = None
        stalled_s = self._saving.step_done(trainer, self._progress())
        self._records.begun(self.term, version, push.uses, at_ns=begun_ns, batch=push.batch)
        self._records.done(
            Done(
                node=self._settings.name,
                generation=self.term,
                step=version,
                begun_ns=begun_ns,
                at_ns=self._node.monotonic_ns(),
                collective_ns=now_ns - begun_ns,
                stalled_ns=round(stalled_s * 1e9),
                loss=self._before.loss,
                gradient_norm=self._before.gradient_norm,
                parameters=trainer.parameters_digest(),
                worker=push.worker,
                computed_at=push.step,
                staleness_bound=self._settings.staleness,
            )
        )

    def _weight(self, behind: int) -> float:
        rules = self._settings.rules
        weighed = weight(behind, self._settings.parts, rules)
        return weighed if rules.updates_weigh_whole else weighed / len(self._settings.workers)

    def _moved(self, worker: str, present: bool) -> None:
        told = Membership(term=self.term, step=self._updates.version, worker=worker, present=present)
        self._node.event(kind_of(told), told)

    # ----------------------------------------------------------------------------------------------------- checkpoints

    def _progress(self) -> msgspec.Raw:
        state = self._trainer.ledger.state
        return msgspec.Raw(msgspec.json.encode(Progress(state.step, state.sha256, used=self._updates.used)))

    def _resume(self) -> Used:
        """Resume the newest sound checkpoint of the highest term that has one; returns the batches used by then."""
        parent, found = self._checkpoints.newest()
        if found is None:
            self._records.event(Resumed(generation=self.term, step=0))
            return Used()
        self._records.refusals(self.term, found.refused)
        self._trainer.resume(found)
        self._records.event(Resumed(generation=self.term, step=self._trainer.step, of_generation=parent))
        return msgspec.json.decode(found.progress, type=Progress).used
