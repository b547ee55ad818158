"""Broken guards, each wrong in one way."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from harness.model.training_events import Suspected
from systems.parts import checksums
from systems.training.guard import Exchange, Guard, Session, Statement
from systems.training.judgement import Audit, Wrong

_TOO_LONG = 3.0
_COMPARED_EVERY = 20


class AuditorBlamed(Guard):
    """Blames the auditor."""

    def _verdict(self, claims: dict[int, list[int]]) -> Wrong | None:
        wrong = super()._verdict(claims)
        return wrong and Wrong(ranks=frozenset([list(claims)[1]]), why=wrong.why)


class GradientAccepted(Guard):
    """Only records a suspicion."""

    def _judge_shard(self, session: Session, statements: Sequence[Statement], audit: Audit | None, shard: int) -> None:
        session.told(Suspected(generation=session.generation, step=self._trainer.step, shard=shard))


class LengthConvicts(Guard):
    """Blames a rank by the length of its gradient, without computing it again."""

    def _outlier(self, lengths: Sequence[float]) -> int | None:
        median = sorted(lengths)[len(lengths) // 2]
        return next((place for place, length in enumerate(lengths) if length > _TOO_LONG * median), None)

    def _verdict(self, claims: dict[int, list[int]]) -> Wrong | None:
        return super()._verdict(claims) or Wrong(ranks=frozenset([next(iter(claims))]), why="")


class SpoiltStepsKept(Guard):
    """Keeps the steps that a rank has already spoilt."""

    def _since(self, names: Sequence[str]) -> int:
        return self._trainer.step


class OldAuditsCount(Guard):
    """Remembers for good up to which step each rank was right, although those steps may have been taken back."""

    def joins(self, members: Sequence[str], exchange: Exchange) -> None:
        self._clean = dict.fromkeys(members, self._trainer.step) | self._clean
        self.ends()


class ChecksumOfTheLoss(Guard):
    """Covers only the last number: its slice begins where it should end."""

    def _sum(self, row: torch.Tensor) -> int:
        return checksums.of_tensor(row[-1:])


class ChangedGradientAccepted(Guard):
    """Relies on TCP's checksum."""

    def _arrived(self, session: Session, statements: Sequence[Statement]) -> bool:
        return True


class StatesComparedLate(Guard):
    """Compares states only every twenty steps, to save time."""

    def _judge_states(self, session: Session, statements: Sequence[Statement]) -> None:
        if self._trainer.step % _COMPARED_EVERY == 0:
            super()._judge_states(session, statements)
