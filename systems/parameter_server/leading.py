"""A master's term: step after step from the newest checkpoint, until another master has a higher term."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from harness.model.training_events import Resumed, WorkRefused
from harness.node.context import NodeContext
from systems.parameter_server.checkpoints import TermCheckpoints
from systems.parameter_server.messages import Buffer, Pull, Push, Work, checksum_of, pack
from systems.parameter_server.parameters import parameters_of, rows_of
from systems.parameter_server.protocol import Contribution, Outcome, Round
from systems.parameter_server.saving import Saving
from systems.parameter_server.shown import ShownRound
from systems.parameter_server.term import LOOK_S, WAIT_S, Changes, Settings, until_work
from systems.parts.sampler import Use
from systems.training.bugs import load
from systems.training.records import Done, Records
from systems.training.trainer import Applied, Trainer


@dataclass(frozen=True, kw_only=True)
class _Gradient:
    uses: list[Use]
    row: torch.Tensor


class Leading:
    """One term."""

    def __init__(self, term: int, settings: Settings, node: NodeContext, records: Records) -> None:
        self.term = term
        self._settings = settings
        self._node = node
        self._records = records
        self._trainer = load(settings.rules.trainer, Trainer)(settings.model, settings.seed)
        self._checkpoints = TermCheckpoints(term, settings, node, self._trainer.identity())
        self._ended = False
        self._changes = Changes()
        self._completed = Changes()
        self._resume()
        self._begin(Applied(loss=0.0, gradient_norm=0.0), settings.workers)
        self._opens_s = asyncio.get_running_loop().time()

    def end(self) -> None:
        """Stop all work: the term is over."""
        self._ended = True
        self._completed.tell()
        self._changes.tell()

    def shown(self) -> ShownRound:
        """How far it is, for the system's invariant."""
        doing = self._round
        asleep = self._completed.awaited
        return ShownRound(step=doing.step, took_part=doing.took_part, complete=doing.complete, asleep=asleep)

    # ------------------------------------------------------------------------------------------------------- requests

    async def pull(self, pull: Pull, wait_s: float) -> bytes | None:
        """The work for a worker, as soon as there is some; None if the term ends, or nothing comes up for `wait_s`."""
        return await until_work(self._changes, lambda: self._ended, lambda now_s: self._look(pull, now_s), wait_s)

    def _look(self, pull: Pull, now_s: float) -> bytes | float:
        if now_s < self._opens_s:
            return self._opens_s - now_s
        seen = (pull.term, pull.seen) == (self.term, self._round.step)
        shards = self._round.deal(pull.worker, seen=seen, now_s=now_s)
        self._tell_if_complete()
        return LOOK_S if shards is None else self._work(shards)

    def push(self, push: Push, data: Buffer) -> Outcome:
        """Take gradients. Raises `Damaged` if they do not fit this model."""
        rows, now_s = rows_of(data, len(push.shards), self._trainer.row), asyncio.get_running_loop().time()
        outcome = Outcome.LATE
        for shard, row in zip(push.shards, rows, strict=True):
            gradient = _Gradient(uses=[use for use in push.uses if use.shard == shard], row=row)
            outcome = self._round.push(push.worker, push.step, shard, gradient, now_s=now_s)
        if outcome is Outcome.LATE:
            why = f"this is step {self._round.step}"
            self._records.event(WorkRefused(generation=self.term, step=push.step, sender=push.worker, why=why))
        self._tell_if_complete()
        return outcome

    def _work(self, shards: tuple[int, ...]) -> bytes:
        work = Work(
            term=self.term,
            step=self._round.step,
            batch=self._round.step,
            shards=shards,
            whole=False,
            progress=self._trainer.progress(),
            loss=self._before.loss,
            gradient_norm=self._before.gradient_norm,
        )
        return pack(work, self._parameters, self._checksum)

    # ---------------------------------------------------------------------------------------------------------- steps

    async def run(self) -> None:
        """Do steps until the term is over."""
        saving = Saving(self.term, self._checkpoints.own, self._records.event, self._node.thread(), self._node.monotonic_ns)
        try:
            while True:
                while not self._round.complete and not self._ended:
                    await self._completed.wait(WAIT_S)
                if self._ended:
                    return
                self._one_step(saving)
        finally:
            saving.close()

    def _resume(self) -> None:
        parent, found = self._checkpoints.newest()
        if found is not None:
            self._records.refusals(self.term, found.refused)
            self._trainer.resume(found)
        self._records.event(Resumed(generation=self.term, step=self._trainer.step, of_generation=parent))

    def _begin(self, before: Applied, present: Sequence[str]) -> None:
        settings, trainer = self._settings, self._trainer
        self._before = before
        self._parameters = parameters_of(trainer)
        self._checksum = checksum_of(self._parameters)
        self._round: Round[_Gradient] = Round(
            step=trainer.step,
            shards=trainer.order.shards,
            workers=settings.workers,
            present=present,
            rules=settings.rules,
        )
        self._begun_ns = self._node.monotonic_ns()

    def _one_step(self, saving: Saving) -> None:
        trainer, step, completed_ns = self._trainer, self._trainer.step, self._node.monotonic_ns()
        contributions = self._round.contributions()
        uses = [use for held in contributions for use in held.value.uses]
        applied = trainer.apply(self._rows(contributions))
        parameters, done_ns = trainer.parameters_digest(), self._node.monotonic_ns()
        stalled_s = saving.step_done(trainer, trainer.progress())
        self._records.begun(self.term, step, uses, at_ns=self._begun_ns)
        self._records.done(
            Done(
                node=self._settings.name,
                generation=self.term,
                step=step,
                begun_ns=self._begun_ns,
                at_ns=done_ns,
                collective_ns=completed_ns - self._begun_ns,
                stalled_ns=round(stalled_s * 1e9),
                loss=applied.loss,
                gradient_norm=applied.gradient_norm,
                parameters=parameters,
            )
        )
        self._opens_s = max(self._opens_s + self._settings.step_s, asyncio.get_running_loop().time())
        self._begin(applied, sorted(self._round.took_part))
        self._changes.tell()

    def _rows(self, contributions: Sequence[Contribution[_Gradient]]) -> list[torch.Tensor]:
        if self._settings.rules.samples_weigh_alike:
            return [held.value.row for held in contributions]
        shards = Counter(held.worker for held in contributions)
        fair = len(contributions) / len(shards)
        return [held.value.row * (fair / shards[held.worker]) for held in contributions]

    def _tell_if_complete(self) -> None:
        if self._round.complete:
            self._completed.tell()
