"""Which steps of a training stand, from the journals of its ranks' processes.

A restarted script counts its steps from 0 again; its parameters show where it resumed. If they are, bit for bit, what an
earlier process had after step n, it resumes with step n + 1, and everything done beyond n is lost. If they are what an earlier
process began with, it begins at the same step.

Some steps leave the parameters as they were, such as the first one of a warm-up, whose rate is 0. So the parameters may show
several steps. The steps that the process then does tell them apart, as far as they repeat what was done before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from harness.model.rank_process import DoneStep, RankProcess

_COMPARED: Final = 20
"""How many steps of a process are compared at most, to tell where it began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A process with its place in the training."""

    process: RankProcess
    start: int | None
    """The step that it began with, the first being 0; None if its parameters do not show it."""

    @property
    def reached(self) -> int:
        """How many steps the training had done after this process's last one."""
        return (self.start or 0) + len(self.process.steps)


@dataclass(frozen=True, kw_only=True)
class Rollback:
    """A rank's process that began at an earlier step than its predecessor had reached."""

    rank: int
    at_ns: int
    reached: int
    start: int
    replayed: int
    """How many of the lost steps have been done again."""
    equal: int
    """How many of these left the parameters as they were the first time, as far as their fingerprint shows."""

    @property
    def lost(self) -> int:
        return self.reached - self.start


def place(processes: Iterable[RankProcess]) -> list[Placed]:
    """The processes that began to train, in the order in which they began, with their places."""
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
    """The step at which an earlier process had the same parameters. Of several, the one whose next steps repeat the most.

    If that leaves several, it is the one with which an earlier process began, otherwise the latest.
    """
    began: set[int] = set()
    found: set[int] = set()
    after: dict[int, set[str]] = {}
    for one in earlier:
        if one.start is None:
            continue
        if one.process.parameters == process.parameters:
            began.add(one.start)
        for number, step in enumerate(one.process.steps, one.start + 1):
            after.setdefault(number, set()).add(step.parameters)
            if step.parameters == process.parameters and step.done_ns <= (process.began_ns or 0):
                found.add(number)

    def repeated(start: int) -> int:
        steps = enumerate(process.steps[:_COMPARED], start + 1)
        return sum(1 for _ in takewhile(lambda one: one[1].parameters in after.get(one[0], ()), steps))

    return max(began | found, key=lambda start: (repeated(start), start in began, start), default=None)


def standing(placed: Iterable[Placed], rank: int) -> list[DoneStep]:
    """The steps of one rank that stand in the end, by their numbers: no later process began at or before them.

    If the rank resumed after steps that it had not recorded, because it died as another one finished them or was not there yet,
    these are the other's.
    """
    steps: list[DoneStep] = []
    earlier: list[Placed] = []
    for one in placed:
        if one.process.rank == rank and one.start is not None:
            del steps[one.start :]
            steps += [_latest(earlier, number) for number in range(len(steps), one.start)]
            steps += one.process.steps
        earlier.append(one)
    return steps


def _latest(earlier: Iterable[Placed], number: int) -> DoneStep:
    """The step of this number as it was done last. There is one if a later process began after it."""
    starts = [(one.process, one.start) for one in earlier if one.start is not None and one.start <= number < one.reached]
    process, start = starts[-1]
    return process.steps[number - start]


def stepping(placed: Iterable[Placed], ranks: int) -> list[int]:
    """The ranks that step: not one without an optimizer, such as a worker that only sends its gradients to another rank."""
    found = {one.process.rank for one in placed}
    return [rank for rank in range(ranks) if rank in found]


def rollbacks(placed: Sequence[Placed]) -> list[Rollback]:
    """Every time a rank lost steps."""
    found = []
    for number, one in enumerate(placed):
        before = [other for other in placed[:number] if other.process.rank == one.process.rank and other.start is not None]
        if not before or one.start is None or one.start >= before[-1].reached:
            continue
        known = standing(placed[:number], one.process.rank)[one.start :]
        again = _done_again(placed[number:], one.process.rank)
        replayed = [(step, again[at]) for at, step in enumerate(known, one.start) if at in again]
        found.append(
            Rollback(
                rank=one.process.rank,
                at_ns=one.process.began_ns or 0,
                reached=before[-1].reached,
                start=one.start,
                replayed=len(replayed),
                equal=sum(first.parameters == second.parameters for first, second in replayed),
            )
        )
    return found


def _done_again(placed: Iterable[Placed], rank: int) -> dict[int, DoneStep]:
    """The steps of a rank's processes by their numbers, as each was done first."""
    again: dict[int, DoneStep] = {}
    for one in placed:
        if one.process.rank == rank and one.start is not None:
            for number, step in enumerate(one.process.steps, one.start):
                again.setdefault(number, step)
    return again


def first_difference(placed: Sequence[Placed], ranks: int) -> tuple[int, list[str]] | None:
    """The first step after which the ranks' models differed, with each rank's fingerprint; None if there is none."""
    each = enumerate(_fingerprints(placed, ranks))
    return next(((number, fingerprints) for number, fingerprints in each if len(set(fingerprints)) > 1), None)


def ever_agree(placed: Sequence[Placed], ranks: int) -> bool:
    """Whether there is a step after which the ranks' models were equal."""
    return any(len(set(fingerprints)) == 1 for fingerprints in _fingerprints(placed, ranks))


def _fingerprints(placed: Sequence[Placed], ranks: int) -> list[list[str]]:
    """Those of all ranks after each step that stands."""
    each = [standing(placed, rank) for rank in stepping(placed, ranks)]
    return [[step.parameters for step in steps] for steps in zip(*each, strict=False)]
