"""Reduce the schedule of a failing run to a minimal one with the same failure, by running the drill again and again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec

from harness.model.errors import FaultError, NodeDown, UsageError
from harness.model.invocation import Invocation
from harness.run import catalog, schedule_file
from harness.run.schedule import PlannedWindow
from harness.run.shrink import fewer, shorter
from harness.run.spec import RunSpec, run_spec_of
from results.record.result import Result
from results.record.store import load_result

SHORTEST_S: Final = 0.2
"""No window is made shorter than this: many faults take that long to show."""

MINIMAL: Final = "minimal.json"
"""The file in the run's folder that holds the minimal schedule."""

Windows = tuple[PlannedWindow, ...]


class OutOfTime(Exception):
    """The time limit for shrinking has passed."""


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A run that failed: its spec, with its own schedule, and how it failed."""

    order: RunSpec
    invocation: Invocation
    """The command line that repeats it."""
    how: frozenset[str]
    """The checks that failed; else the checks that could not decide; else the SLOs that were missed."""
    verdict: str

    @classmethod
    def of(cls, run_dir: Path) -> Failed:
        """Read a run back. Raises `UsageError` if it did not fail, or if its drill or schedule no longer exists."""
        result = load_result(run_dir)
        if result.verdict == "pass":
            raise UsageError(f"{run_dir} kept every promise: there is no failure to shrink. Name a run that failed.")
        asked = result.invocation
        if asked is None and result.version < 2:
            raise UsageError(
                f"{run_dir} was recorded by an earlier version, which did not keep the command line."
                f" Run it again, and shrink that run: {result.rerun}"
            )
        if asked is None:
            raise UsageError(f"{run_dir} was not run from a drill file, so it cannot be run again.")
        named = catalog.find_drill(asked.drill, asked.settings)
        order = run_spec_of(named, asked.seed, asked.settings, asked.fault_plane, run_dir)
        return cls(order=order, invocation=asked, how=failures(result), verdict=result.verdict)

    def like(self, result: Result) -> bool:
        """Whether a run failed in the same way: the same verdict, because of one of the same checks or SLOs."""
        return result.verdict == self.verdict and bool(failures(result) & self.how)


def failures(result: Result) -> frozenset[str]:
    """The names of the checks or SLOs that gave a run its verdict."""
    match result.verdict:
        case "fail":
            return frozenset(check.name for check in result.checks if check.valid is False)
        case "unknown":
            undecided = frozenset(check.name for check in result.checks if check.valid is None)
            return undecided or frozenset(slo.text for slo in result.slos if slo.ok is None)
        case "slo":
            return frozenset(slo.text for slo in result.slos if slo.ok is False)
        case "pass":
            return frozenset()


class Shrinking:
    """One search. An exception or an interrupt may end it at any time: `best` holds the best schedule found so far."""

    def __init__(self, failed: Failed, *, repeats: int, limit_s: float, once: Callable[[RunSpec], Result]) -> None:
        """`once` runs a drill. Each schedule is run until it fails, at most `repeats` times."""
        self._failed = failed
        self._repeats = repeats
        self._deadline_s = time.monotonic() + limit_s
        self._once = once
        self._tries = 0
        self.runs = 0
        self.best: Windows | None = None
        """The smallest schedule that was seen to fail; None if not even the whole schedule did."""
        self.best_failed, self.best_runs = 0, 0
        """How often the best one failed, in how many runs."""

    def steps(self) -> Iterator[Windows]:
        """Each schedule that is better than all before it. Raises `OutOfTime`."""
        whole = self._failed.order.windows or ()
        if not self._fails(whole):
            return
        yield self._keep(whole)
        for part in fewer(whole, self._fails):
            yield self._keep(part)
        for part in shorter(self.best or (), self._fails, halves):
            yield self._keep(part)
        while self.best_runs < self._repeats and self.best is not None:
            self.best_failed += self._run(self.best)
            self.best_runs += 1
            yield self.best

    def _keep(self, windows: Windows) -> Windows:
        self.best = windows
        self.best_failed, self.best_runs = 1, self._tries
        return windows

    def _fails(self, windows: Windows) -> bool:
        """Run a schedule until it fails, at most `repeats` times. Returns whether it failed."""
        for attempt in range(1, self._repeats + 1):
            self._tries = attempt
            if self._run(windows):
                return True
        return False

    def _run(self, windows: Windows) -> bool:
        if time.monotonic() > self._deadline_s:
            raise OutOfTime
        self.runs += 1
        try:
            return self._failed.like(self._once(replace(self._failed.order, windows=windows)))
        except (FaultError, NodeDown):  # a run without a verdict did not fail in the same way
            return False


def halves(planned: PlannedWindow) -> Iterator[PlannedWindow]:
    """A window's first half, its second half, and its middle half, unless they are too short to show."""
    window = planned.window
    half_s = round((window.to_s - window.from_s) / 2, 3)
    if half_s < SHORTEST_S:
        return
    for from_s in (window.from_s, window.to_s - half_s, window.from_s + half_s / 2):
        begin_s = round(from_s, 3)
        end_s = min(round(begin_s + half_s, 3), window.to_s)
        yield replace(planned, window=replace(window, from_s=begin_s, to_s=end_s))


def write(windows: Windows, failed: Failed, file: Path) -> str:
    """Write a schedule file and return the command line that replays it."""
    order = failed.order
    file.write_bytes(schedule_file.encode(windows, order.name, order.seed))
    return msgspec.structs.replace(failed.invocation, schedule=str(file)).line()
