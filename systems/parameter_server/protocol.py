"""The rules of the parameter server, without I/O: which worker computes what, what counts, and which master a worker obeys.

A step is a work queue of virtual shards. A worker that pulls gets a fair part of the remaining shards; a shard whose gradient
is overdue goes to another worker as well, and the first answer counts (the backup tasks of Dean and Ghemawat, "MapReduce",
OSDI 2004, section 3.6). So a worker that is lost, frozen or slow costs the step only a fraction of a second.

A master leads a term. It needs the promises of more than half of the workers, each of which then refuses lower terms; and a
step is complete only if more than half of the workers took part in it after it began. Two majorities have a worker in common,
so no step of an older master begins and completes after a newer master was elected.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from systems.parameter_server.bugs import CORRECT, Rules

T = TypeVar("T")


def majority(workers: int) -> int:
    """The smallest number that is more than half of `workers`."""
    return workers // 2 + 1


class Outcome(enum.Enum):
    """The result of a push."""

    HELD = enum.auto()
    AGAIN = enum.auto()
    """The shard's gradient has come before, from this worker or another: nothing changes."""
    LATE = enum.auto()
    """The gradient is of another step."""


@dataclass(frozen=True, kw_only=True)
class Contribution(Generic[T]):
    """A shard's gradient, and the worker that computed it."""

    shard: int
    worker: str
    value: T


@dataclass(frozen=True, kw_only=True)
class _Dealt:
    worker: str
    at_s: float


class Round(Generic[T]):
    """One step of one term, at the master. Times are seconds of any monotonic clock."""

    def __init__(
        self, *, step: int, shards: int, workers: Sequence[str], present: Collection[str], rules: Rules = CORRECT
    ) -> None:
        """`present` are the workers that should pull: the ones that took part in the previous step."""
        self.step = step
        self._shards = range(shards)
        self._enough = majority(len(workers))
        self._present = set(present)
        self._rules = rules
        self._dealt: dict[int, _Dealt] = {}
        self._served: set[str] = set()
        self._heard: set[str] = set()
        self._held: list[Contribution[T]] = []
        self._took_s: list[float] = []
        self._left_out: set[int] = set()

    @property
    def took_part(self) -> frozenset[str]:
        """The workers that were heard after the step began."""
        return frozenset(self._heard)

    @property
    def complete(self) -> bool:
        """Whether all shards are there, and more than half of the workers took part."""
        return len(self._held) + len(self._left_out) >= len(self._shards) and len(self._heard) >= self._enough

    def contributions(self) -> list[Contribution[T]]:
        """The contributions so far, in the order of the shards."""
        return sorted(self._held, key=lambda held: held.shard)

    def deal(self, worker: str, *, seen: bool, now_s: float) -> tuple[int, ...] | None:
        """The shards for a worker that pulls; () for none, None if it has `seen` that and has to wait."""
        if seen:
            self._heard.add(worker)
        mine = [shard for shard, dealt in self._dealt.items() if dealt.worker == worker]
        mine = [shard for shard in self._missing() if shard in mine]
        if not mine:
            left = [shard for shard in self._shards if shard not in self._dealt] or self._overdue(now_s)
            others = self._present - self._served - {worker}
            mine = left[: math.ceil(len(left) / (len(others) + 1))]
            self._dealt |= {shard: _Dealt(worker=worker, at_s=now_s) for shard in mine}
        self._served.add(worker)
        return tuple(mine) if mine or not seen else None

    def push(self, worker: str, step: int, shard: int, value: T, *, now_s: float) -> Outcome:
        """Take a shard's gradient, if it is of this step and the first of its shard."""
        if self._rules.steps_compared and step != self.step:
            return Outcome.LATE
        self._heard.add(worker)
        if self._rules.pushes_count_once and any(held.shard == shard for held in self._held):
            return Outcome.AGAIN
        self._held.append(Contribution(shard=shard, worker=worker, value=value))
        self._left_out.discard(shard)
        if shard in self._dealt:
            self._took_s.append(now_s - self._dealt[shard].at_s)
        return Outcome.HELD

    def _missing(self) -> list[int]:
        there = {held.shard for held in self._held} | self._left_out
        return [shard for shard in self._shards if shard not in there]

    def _overdue(self, now_s: float) -> list[int]:
        limits = self._rules.limits
        usual_s = max(self._took_s, default=limits.overdue_s)  # since dealing, to the last of its shards
        limit_s = min(limits.overdue_s, max(limits.slow * usual_s, limits.least_s))
        found = [shard for shard in self._missing() if now_s - self._dealt[shard].at_s >= limit_s]
        if not self._rules.shards_dealt_again:
            self._left_out |= set(found)
            return []
        return found


class Promise(msgspec.Struct, frozen=True):
    """The server that a worker has promised itself to, as the worker keeps it on its disk."""

    term: int = 0
    server: str = ""


class Promises:
    """The master that a worker obeys. Callers store `kept` on the disk before they act on an answer."""

    def __init__(self, kept: Promise, rules: Rules = CORRECT) -> None:
        self.kept = kept
        self._rules = rules
        self._heard_s = -math.inf

    def ask(self, term: int, server: str, now_s: float) -> bool:
        """Whether the worker promises itself to a server that wants to lead a term: not while it hears its master."""
        if Promise(term, server) == self.kept:
            return True
        promised = term == self.kept.term and self._rules.promises_once
        if term < self.kept.term or promised or now_s - self._heard_s < self._rules.limits.heard_s:
            return False
        self.kept = Promise(term, server)
        return True

    def obeys(self, term: int, server: str) -> bool:
        """Whether the worker obeys this master, which the workers have elected: without this one, if it knew of a lower term
        or had promised itself to a server that lost. No other server is ever elected in that term.
        """
        if term >= self.kept.term:
            self.kept = Promise(term, server)
        return not self._rules.terms_compared or term == self.kept.term

    def heard(self, now_s: float) -> None:
        """The worker got work from its master."""
        self._heard_s = now_s
