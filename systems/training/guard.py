"""The guard of a step: it checks that messages arrived intact, that all hold the same state, and that gradients are right.

In every step, all members exchange checksums: of their states after the last step and now, of each gradient before it was sent,
and of all gradients as they arrived. Every `audit_every` steps another member computes one gradient as well. Two others
recompute a gradient that is far too long, or not a number. The members compare all of this before they apply the step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from harness.model.training_events import GradientsChanged, TrainingEvent
from systems.parts import checksums
from systems.training.judgement import Audit, Wrong, audit_of, judged_claims, judged_states, outlier_of
from systems.training.trainer import Trainer

_TRIES: Final = 3
"""How often to gather gradients that do not arrive as they were sent."""

_NONE: Final = -1
"""No checksum, no shard."""


Exchange = Callable[[list[int]], list[list[int]]]
"""Works like `Group.exchange`."""


class Named(RuntimeError):
    """Members have computed wrongly; the step was not applied."""

    def __init__(self, ranks: frozenset[int], why: str, since: int | None) -> None:
        """`ranks` are places in the group. `since` is the first step that they may have spoilt; None: none."""
        super().__init__(why)
        self.ranks = ranks
        self.why = why
        self.since = since


class Undecided(RuntimeError):
    """Members contradict each other, and which of them are wrong is unknown; the step was not applied."""

    def __init__(self, why: str, *, of_states: bool) -> None:
        """`of_states`: whether their states differ, so that training cannot continue from any of them."""
        super().__init__(why)
        self.of_states = of_states


@dataclass(frozen=True, kw_only=True)
class Session:
    """A group from the view of one member."""

    generation: int
    members: Sequence[str]
    rank: int
    dealt: Sequence[Sequence[int]]
    """The shards that each member computes."""
    gather: Callable[[torch.Tensor, torch.Tensor], None]
    exchange: Exchange
    told: Callable[[TrainingEvent], None]
    """Called with each event."""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A member's statement about a step, as it travels: numbers, of which the last is a checksum of the others."""

    left: int
    held: int
    arrived: int
    audited: int
    outlier: int
    sent: tuple[int, ...]

    def numbers(self, room: int) -> list[int]:
        """The statement as numbers, with room for the checksums of `room` gradients."""
        sent = [*self.sent, *[_NONE] * (room - len(self.sent))]
        told = [self.left, self.held, self.arrived, self.audited, self.outlier, *sent]
        return [*told, checksums.of_numbers(told)]

    @classmethod
    def of(cls, numbers: list[int], shards: int) -> Statement:
        """The statement from its numbers. Raises `RuntimeError` if they are not what was sent."""
        left, held, arrived, audited, outlier, *sent = _intact(numbers)
        return cls(left=left, held=held, arrived=arrived, audited=audited, outlier=outlier, sent=tuple(sent[:shards]))


class Guard:
    """One rank's guard. Call `begins` before a step, `gather` in it instead of the group's own, `ends` when it is applied."""

    def __init__(self, trainer: Trainer, audit_every: int) -> None:
        self._trainer = trainer
        self._every = audit_every
        self._left = self._held = _NONE
        self._clean: dict[str, int] = {}
        self._named: set[str] = set()
        """Members that computed wrongly. No audit excuses one that is still there because its group ended too early."""

    def joins(self, members: Sequence[str], exchange: Exchange) -> None:
        """A group begins; all its members hold the same state. If that is an earlier one, later audits count no more.

        A member that has just been started learns of the audits before from those who took part in them.
        """
        step = self._trainer.step
        mine = [self._clean.get(name, _NONE) for name in members]
        told = [_intact(numbers) for numbers in exchange([*mine, checksums.of_numbers(mine)])]
        for name, *known in zip(members, *told, strict=True):
            self._clean[name] = min([step, *(clean for clean in known if clean != _NONE)])
        self.ends()

    def begins(self) -> None:
        self._held = self._state()

    def ends(self) -> None:
        self._left = self._state()

    def gather(self, session: Session, part: torch.Tensor, whole: torch.Tensor) -> None:
        """Like `Group.gather`: whole[r] becomes member r's part. Returns only if everything is right.

        Raises `Named` or `Undecided`, and `RuntimeError` if gradients do not arrive.
        """
        audit = audit_of(self._trainer.step, self._every, session.dealt)
        audited = self._compute(audit.shard) if audit is not None and audit.auditor == session.rank else _NONE
        sent = tuple(self._sum(row) for row in part[: len(session.dealt[session.rank])])
        for _ in range(_TRIES):
            session.gather(part, whole)
            statements = self._stated(session, whole, sent, audited)
            self._judge_states(session, statements)
            if self._arrived(session, statements):
                break
        else:
            raise RuntimeError(f"gradients did not arrive as they were sent, {_TRIES} times")
        for suspect in self._suspects(session, statements, audit):
            self._judge_shard(session, statements, audit, suspect)
        if audit is not None and (owner := session.members[audit.owner]) not in self._named:
            self._clean[owner] = self._trainer.step + 1

    # --------------------------------------------------------------------------------------------------- what is compared

    def _state(self) -> int:
        return checksums.of_tensors(self._trainer.tensors())

    def _sum(self, row: torch.Tensor) -> int:
        """The checksum of a gradient and its loss."""
        return checksums.of_tensor(row)

    def _compute(self, shard: int) -> int:
        """The checksum of a shard's gradient as this rank computes it."""
        row = torch.empty(1, self._trainer.row)
        self._trainer.contribute([shard], row)
        return self._sum(row[0])

    def _stated(self, session: Session, whole: torch.Tensor, sent: tuple[int, ...], audited: int) -> list[Statement]:
        """The statements of all members, including this one's."""
        rows = [row for rank, shards in enumerate(session.dealt) for row in whole[rank][: len(shards)]]
        owned = [shard for shards in session.dealt for shard in shards]
        outlier = self._outlier([_length(row) for row in rows])
        mine = Statement(
            left=self._left,
            held=self._held,
            arrived=checksums.of_numbers([self._sum(row) for row in rows]),
            audited=audited,
            outlier=_NONE if outlier is None else owned[outlier],
            sent=sent,
        )
        numbers = session.exchange(mine.numbers(max(map(len, session.dealt))))
        return [Statement.of(told, len(shards)) for told, shards in zip(numbers, session.dealt, strict=True)]

    # ---------------------------------------------------------------------------------------------------------- judgement

    def _judge_states(self, session: Session, statements: Sequence[Statement]) -> None:
        wrong = judged_states([one.left for one in statements], [one.held for one in statements])
        if wrong is not None and len(wrong.ranks) in (0, len(statements)):
            raise Undecided(f"members hold different states after step {self._trainer.step - 1}", of_states=True)
        if wrong is not None:
            raise Named(wrong.ranks, f"{wrong.why}, found at step {self._trainer.step}", None)

    def _arrived(self, session: Session, statements: Sequence[Statement]) -> bool:
        """Whether every member has received what every other one sent."""
        right = checksums.of_numbers([checksum for one in statements for checksum in one.sent])
        amiss = [name for name, one in zip(session.members, statements, strict=True) if one.arrived != right]
        if amiss:
            changed = GradientsChanged(generation=session.generation, step=self._trainer.step, ranks=tuple(amiss))
            session.told(changed)
        return not amiss

    def _suspects(self, session: Session, statements: Sequence[Statement], audit: Audit | None) -> list[int]:
        """The shards to compute again: one that an audit contradicts, and one whose gradient is far too long."""
        found = {one.outlier for one in statements if one.outlier != _NONE}
        if audit is not None and statements[audit.auditor].audited != self._claim(session, statements, audit.shard):
            found.add(audit.shard)
        return sorted(found)

    def _judge_shard(self, session: Session, statements: Sequence[Statement], audit: Audit | None, shard: int) -> None:
        """Have two members compute a shard again; neither is its owner if there are at least three members."""
        world, owner = len(session.members), self._owner(session, shard)
        claims = {owner: [self._claim(session, statements, shard)]}
        if audit is not None and audit.shard == shard:
            claims.setdefault(audit.auditor, []).append(statements[audit.auditor].audited)
        jury = [(owner + 1 + place) % world for place in range(min(world, 2))]
        again = self._compute(shard) if session.rank in jury else _NONE
        answers = session.exchange([again])
        for rank in jury:
            claims.setdefault(rank, []).append(answers[rank][0])
        wrong = self._verdict(claims)
        if wrong is None:
            return
        step = self._trainer.step
        found = "by an audit" if audit is not None and audit.shard == shard else "by its length"
        if not wrong.ranks:
            raise Undecided(f"members disagree about the gradient of shard {shard} of step {step}", of_states=False)
        names = [session.members[rank] for rank in wrong.ranks]
        self._named.update(names)
        since = self._since(names)
        raise Named(wrong.ranks, f"computed the gradient of shard {shard} of step {step} wrongly, found {found}", since)

    def _verdict(self, claims: dict[int, list[int]]) -> Wrong | None:
        return judged_claims(claims)

    def _since(self, names: Sequence[str]) -> int:
        """The first step that members may have spoilt: the first since each was last found to compute right."""
        return min(self._clean[name] for name in names)

    def _outlier(self, lengths: Sequence[float]) -> int | None:
        return outlier_of(lengths)

    def _owner(self, session: Session, shard: int) -> int:
        return next(rank for rank, shards in enumerate(session.dealt) if shard in shards)

    def _claim(self, session: Session, statements: Sequence[Statement], shard: int) -> int:
        """The checksum of a shard's gradient as its owner sent it."""
        owner = self._owner(session, shard)
        return statements[owner].sent[list(session.dealt[owner]).index(shard)]


def _intact(numbers: list[int]) -> list[int]:
    """A member's numbers without their checksum, which is the last one. Raises `RuntimeError` if they are not what was sent."""
    *told, checksum = numbers
    if checksums.of_numbers(told) != checksum:
        raise RuntimeError("a member's statement did not arrive as it was sent")
    return told


def _length(row: torch.Tensor) -> float:
    """The length of a gradient; infinite or NaN if a number in it is."""
    values = row.numpy()
    with np.errstate(all="ignore"):
        return math.sqrt(float(np.dot(values, values)))
