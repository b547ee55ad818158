"""Runs seeds of a drill on simulated machines: counts many of them, or shows one as a run."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from harness.checkers._wording import count
from harness.cluster.interrupts import run_to_its_end
from harness.model.errors import UsageError
from harness.model.history import History
from harness.model.verdict import RunVerdict, gravest
from harness.run import catalog
from harness.run.catalog import NamedDrill
from harness.run.spec import SEED_BITS
from harness.simulation.charting import chart
from harness.simulation.keeping import keep
from harness.simulation.seed_run import Outcome, run_seed, why_not
from harness.simulation.swarm import Swarm
from harness.simulation.sweep import sweep
from harness.simulation.worker import Reply, Task
from results.record.result import Result
from results.report.page import REPORT, write_run_report
from results.report.sequence_page import SEQUENCE, write_sequence_page


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The results of one drill's seeds: an entry of what `--json` writes."""

    drill: str
    seeds: int
    """How many reached a verdict, "unknown" included."""
    held: int
    caught: int
    """How many showed what the drill expects: its system is known to be wrong, and the drill's `caught_by` found it."""
    unknown: int
    """How many could not be judged, including those without any verdict."""
    simulated_s: float
    cpu_s: float
    verdict: RunVerdict
    failed: tuple[Outcome, ...]
    """Seeds that did not pass."""
    broken: tuple[str, ...]
    """Why seeds have no verdict."""


@dataclass(kw_only=True)
class Tally:
    """The results of one drill's seeds so far."""

    named: NamedDrill
    go_on: bool = False
    """Whether to go on after the first seed that failed."""
    seeds: int = 0
    caught: int = 0
    """How many ended as a drill of a known weakness expects: its check, and no other, failed."""
    simulated_s: float = 0.0
    cpu_s: float = 0.0
    failed: list[Outcome] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> list[Outcome]:
        """Failed seeds, without those that are merely unknown."""
        return [one for one in self.failed if one.verdict in ("fail", "slo")]

    @property
    def held(self) -> int:
        """How many passed."""
        return self.seeds - self.caught - len(self.failed)

    @property
    def unknown(self) -> int:
        """How many could not be judged."""
        return len(self.failed) - len(self.wrong) + len(self.broken)

    @property
    def verdict(self) -> RunVerdict:
        """The gravest; unknown if no seed was run."""
        verdicts: list[RunVerdict] = [one.verdict for one in self.failed]
        return gravest([*verdicts, "unknown"] if self.broken or not self.seeds else verdicts)

    @property
    def counts(self) -> str:
        """How seeds ended: "12 seeds held"; "of 12 seeds 9 held, 1 failed, 2 are unknown"; "of 12 seeds 7 held, 5 caught"."""
        there, wrong, unknown = self.seeds + len(self.broken), len(self.wrong), self.unknown
        if self.held == there:
            return f"{count(there, 'seed')} held"
        caught = f", {self.caught:,} caught" if self.caught else ""
        failed = f", {wrong:,} failed" if wrong else ""
        undecided = f", {unknown:,} {'is' if unknown == 1 else 'are'} unknown" if unknown else ""
        return f"of {count(there, 'seed')} {self.held:,} held{caught}{failed}{undecided}"

    @property
    def summary_line(self) -> str:
        """How many held, and why the first of the others did not."""
        undecided = [f"seed {one.seed}: {one.why}" for one in self.failed] + self.broken
        return f"{self.counts}; {undecided[0]}" if undecided else self.counts

    def add(self, task: Task, reply: Reply) -> bool:
        """Count a seed, and return whether to go on."""
        self.cpu_s += reply.cpu_s
        if reply.outcome is None:
            self.broken.append(f"seed {task.seed}: {reply.error}")
            return self.go_on
        self.seeds += 1
        self.simulated_s += reply.outcome.simulated_s
        if self._expected(reply.outcome):
            self.caught += 1
            return True
        if reply.outcome.verdict != "pass":
            self.failed.append(reply.outcome)
        return self.go_on or reply.outcome.verdict in ("pass", "unknown")

    def _expected(self, outcome: Outcome) -> bool:
        """Whether the seed failed as the drill says that it may."""
        caught_by = self.named.drill.caught_by
        return caught_by is not None and outcome.verdict == "fail" and set(outcome.found) == {caught_by.__name__}

    def summary(self) -> Summary:
        return Summary(
            drill=self.named.name,
            seeds=self.seeds,
            held=self.held,
            caught=self.caught,
            unknown=self.unknown,
            simulated_s=round(self.simulated_s, 3),
            cpu_s=round(self.cpu_s, 3),
            verdict=self.verdict,
            failed=tuple(self.failed),
            broken=tuple(self.broken),
        )


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """A seed with everything recorded, stored like a run."""

    run_dir: Path
    page: Path
    result: Result
    history: History
    swarm: Swarm


def simulatable(name: str, settings: Sequence[str] = ()) -> NamedDrill:
    """A drill by name. Raises `UsageError` if there is none, or if it needs real processes."""
    named = catalog.find_drill(name, settings)
    if (why := why_not(named.drill)) is not None:
        raise UsageError(f"{named.name} cannot be simulated: {why}. Run it with `harness drill {named.again}`.")
    return named


def new_seed() -> int:
    """A random seed, almost certainly a new one."""
    return secrets.randbits(SEED_BITS)


def fresh_seeds(minutes: float, first: int) -> Iterator[int]:
    """The seeds from `first` on, for that long."""
    until_s = time.monotonic() + minutes * 60
    return itertools.takewhile(lambda _: time.monotonic() < until_s, itertools.count(first))


def tasks(named: NamedDrill, seeds: Iterator[int], settings: Sequence[str]) -> Iterator[Task]:
    return (Task(drill=named.again, settings=tuple(settings), seed=seed) for seed in seeds)


def count_seeds(tally: Tally, seeds: Iterator[int], settings: Sequence[str], jobs: int) -> None:
    """Simulate seeds in `jobs` processes, until all are done or the tally says to stop."""
    run_to_its_end(sweep(tasks(tally.named, seeds, settings), jobs, tally.add))


def replay(named: NamedDrill, seed: int, settings: Sequence[str], runs: Path, swarm: Swarm | None = None) -> Replayed:
    """Run a seed again, with what it draws or with `swarm`, and write its folder and pages."""
    judged = run_seed(named.name, named.drill, seed, swarm=swarm, record=True)
    words = ["harness", "simulate", named.again, "--seed", str(seed)]
    words += [word for setting in settings for word in ("--set", setting)]
    run_dir, result = keep(named, judged, runs, words, as_drawn=swarm is None)
    write_run_report(run_dir, result, judged.recorded.history, run_dir / REPORT)
    write_sequence_page(chart(judged, result), run_dir / SEQUENCE)
    return Replayed(run_dir=run_dir, page=run_dir / REPORT, result=result, history=judged.recorded.history, swarm=judged.swarm)
