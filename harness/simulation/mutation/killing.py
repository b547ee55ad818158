"""Whether simulation notices a mutant: simulate seeds of its system's drills until one fails.

A simulated run depends only on its code and its seed. So a mutant is tried only with seeds in which the changed line runs: any
other seed would give the same run as the original code.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple

from harness.model.errors import HarnessError
from harness.simulation.mutation.mutants import Mutant
from harness.simulation.mutation.tree import Tree
from harness.simulation.sweep import Worker
from harness.simulation.worker import Reply, Task

_SLACK_S: Final = 30.0
"""A seed of a mutant may take ten times as long as with the original code, plus this."""

_SAME: Final = 8
"""A change outside functions may matter in any run. After this many runs in which it changed nothing, it is given up."""

Fate = Literal["killed", "timed out", "survived", "unreached"]


@dataclass(frozen=True)
class Killing:
    """What became of one mutant."""

    fate: Fate
    drill: str = ""
    """The drill that noticed it; empty if none did."""
    why: str = ""
    """What was noticed: the checks, or an error."""
    differed: int = 0
    """The number of runs that differed from those of the original code."""
    runs: int = 0
    seconds: float = 0.0


class _Run(NamedTuple):
    drill: str
    seed: int


class _Right(NamedTuple):
    """A run with the original code."""

    cpu_s: float
    digest: int
    lines: dict[str, set[int]]


def seeds_of(drills: Sequence[str], seeds: int) -> list[tuple[str, int]]:
    """Each drill with this many seeds, no two of them with the same: most of what a seed draws, such as which kinds of faults
    there are and which settings the system has, it draws for every drill."""
    return [(drill, 1 + number * len(drills) + place) for number in range(seeds) for place, drill in enumerate(drills)]


class Killer:
    """Simulates drills in a copy of the code. Tries one mutant at a time."""

    def __init__(self, tree: Tree, files: Sequence[Path], drills: Sequence[str], seeds: int) -> None:
        self._tree = tree
        self._watched = tuple(str(tree.place(file)) for file in files)
        self._wanted = [_Run(drill, seed) for drill, seed in seeds_of(drills, seeds)]
        self._right: dict[_Run, _Right] = {}
        self._kills: Counter[str] = Counter()
        self._tries: Counter[str] = Counter()

    async def measure(self) -> dict[str, str]:
        """Simulate the original code. Runs that fail with it are left out; returns why they failed, by run."""
        left_out = {}
        async with Worker.opened(code=self._tree.code) as worker:
            for run in self._wanted:
                reply = await worker.work(Task(drill=run.drill, seed=run.seed, watched=self._watched))
                if reply.outcome is not None and reply.outcome.verdict == "pass":
                    self._right[run] = _Right(reply.cpu_s, reply.outcome.digest, reply.lines)
                else:
                    left_out[f"seed {run.seed} of {run.drill}"] = reply.error or (reply.outcome.why if reply.outcome else "")
        return left_out

    @property
    def runs(self) -> int:
        """How many runs there are to try a mutant with."""
        return len(self._right)

    async def kill(self, file: Path, mutant: Mutant) -> Killing:
        """Change the copy of the file, simulate, and change it back."""
        runs, begun_s = self._reaching(file, mutant), time.monotonic()
        if not runs:
            return Killing("unreached")
        with self._tree.changed(file, mutant.applied):
            killing = await self._try(runs, known=mutant.needs is not None)
        return Killing(killing.fate, killing.drill, killing.why, killing.differed, killing.runs, time.monotonic() - begun_s)

    async def _try(self, runs: Sequence[_Run], *, known: bool) -> Killing:
        """Simulate until something is noticed. `known`: all of these runs reach the changed line."""
        differed = number = 0
        async with Worker.opened(code=self._tree.code) as worker:
            for number, run in enumerate(runs, 1):
                right = self._right[run]
                self._tries[run.drill] += 1
                fate: Fate = "killed"
                try:
                    async with asyncio.timeout(10 * right.cpu_s + _SLACK_S):
                        noticed, digest = _noticed(await worker.work(Task(drill=run.drill, seed=run.seed)))
                except TimeoutError:
                    fate, noticed, digest = "timed out", "it takes too long", None
                except HarnessError:
                    noticed, digest = "the process that simulates ended", None
                differed += digest != right.digest
                if noticed:
                    self._kills[run.drill] += 1
                    return Killing(fate, run.drill, noticed, differed, number)
                if not known and not differed and number == _SAME:
                    break
        return Killing("survived", differed=differed, runs=number)

    def _reaching(self, file: Path, mutant: Mutant) -> list[_Run]:
        """The runs that reach the changed line; first those of the drills that have noticed most mutants in the least time."""
        copied, needs = str(self._tree.place(file)), mutant.needs
        found = [run for run, right in self._right.items() if needs is None or not right.lines[copied].isdisjoint(needs)]
        turns: Counter[str] = Counter()
        ranked = []
        for run in sorted(found, key=lambda run: run.seed):
            chance = (self._kills[run.drill] + 1) / (self._tries[run.drill] + 2)
            ranked.append((turns[run.drill], self._right[run].cpu_s / chance, run))
            turns[run.drill] += 1
        return [run for _, _, run in sorted(ranked)]


def _noticed(reply: Reply) -> tuple[str, int | None]:
    """What was noticed, and the digest of the run. A seed that cannot be judged notices nothing: that may be chance."""
    if reply.outcome is None:
        return reply.error or "no outcome", None
    wrong = reply.outcome.verdict in ("fail", "slo")
    return ", ".join(reply.outcome.found) if wrong else "", reply.outcome.digest
