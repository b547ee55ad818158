"""Which steps of a training stand, from what the processes of its ranks have written down.

A script that is started again counts its steps anew; where it took up the training is told by its parameters. If they are, bit
for bit, what a process had after step n, it goes on with step n + 1, and all that was done beyond n is lost. If they are what
a process began with, it begins where that one did.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.model.rank_process import DoneStep, RankProcess


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A process with its place in the training."""

    process: RankProcess
    start: int | None
    """The step that it began with, the first being 0; None if its parameters do not tell."""

    @property
    def reached(self) -> int:
        """How many steps were done when it had done its last."""
        return (self.start or 0) + len(self.process.steps)


@dataclass(frozen=True, kw_only=True)
class Rollback:
    """A rank whose process began before where the one before it had come to."""

    rank: int
    at_ns: int
    reached: int
    start: int
    replayed: int
    """How many of the lost steps have been done again."""
    equal: int
    """How many of those left the parameters, as far as their fingerprint tells, as they were the first time."""

    @property
    def lost(self) -> int:
        return self.reached - self.start


def place(processes: Iterable[RankProcess]) -> list[Placed]:
    """The processes that have begun to train, in order of their beginning, with their places."""
    begun = sorted((one for one in processes if one.began_ns is not None), key=lambda one: one.began_ns or 0)
    placed: list[Placed] = []
    for process in begun:
        earlier = [one for one in placed if one.process.rank == process.rank]
        others = [one for one in placed if one.process.rank != process.rank]
        start = _start(process, earlier)
        if start is None:
            start = _start(process, others)
        if start is None and not earlier:
            start = 0
        placed.append(Placed(process=process, start=start))
    return placed


def _start(process: RankProcess, earlier: Sequence[Placed]) -> int | None:
    """Where the parameters are found among those of earlier processes: as late as possible."""
    found = []
    for one in earlier:
        if one.start is None:
            continue
        if one.process.parameters == process.parameters:
            found.append(one.start)
        found += [
            one.start + number + 1
            for number, step in enumerate(one.process.steps)
            if step.parameters == process.parameters and step.done_ns <= (process.began_ns or 0)
        ]
    return max(found, default=None)


def standing(placed: Iterable[Placed], rank: int) -> list[DoneStep]:
    """The steps of one rank that stand in the end: those that no later process has begun before."""
    steps: list[DoneStep] = []
    for one in placed:
        if one.process.rank == rank and one.start is not None:
            del steps[one.start :]
            steps += one.process.steps
    return steps


def rollbacks(placed: Sequence[Placed]) -> list[Rollback]:
    """Every time that a rank lost steps."""
    found = []
    for number, one in enumerate(placed):
        before = [other for other in placed[:number] if other.process.rank == one.process.rank and other.start is not None]
        if not before or one.start is None or one.start >= before[-1].reached:
            continue
        known = standing(before, one.process.rank)[one.start :]
        again = list(zip(known, one.process.steps, strict=False))
        found.append(
            Rollback(
                rank=one.process.rank,
                at_ns=one.process.began_ns or 0,
                reached=before[-1].reached,
                start=one.start,
                replayed=len(again),
                equal=sum(first.parameters == second.parameters for first, second in again),
            )
        )
    return found


def first_difference(placed: Sequence[Placed], ranks: int) -> tuple[int, list[str]] | None:
    """The first step after which the ranks' models differed, with each rank's fingerprint; None if there is none."""
    each = [standing(placed, rank) for rank in range(ranks)]
    for number, steps in enumerate(zip(*each, strict=False)):
        fingerprints = [step.parameters for step in steps]
        if len(set(fingerprints)) > 1:
            return number, fingerprints
    return None
