"""Runs one night of a suite and records it in the history, however it ends."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console

from harness.cli.running import run_orders
from harness.cli.seeds import Tally, count_seeds, fresh_seeds, new_seed, replay
from harness.cluster.fault_plane import PlaneKind
from harness.model.errors import OF_ONE_RUN, HarnessError
from harness.run.catalog import NamedDrill
from harness.run.night import (
    PlannedRun,
    as_simulated,
    held_in_simulation,
    measured_of,
    name_if_simulated,
    night_plan,
    planned_runs,
)
from harness.run.runner import CompletedRun, limit_s
from harness.simulation.seed_run import why_not
from results.record.nights.database import HistoryDatabase
from results.record.nights.recording import Recording
from results.record.nights.rows import NIGHTLY
from results.record.result import Result, suite_exit_code
from results.record.suite import Unfinished
from results.report.phrasing import count


@dataclass(frozen=True, kw_only=True)
class NightOrder:
    """What a night should run."""

    suite: str | None
    drills: Sequence[NamedDrill]
    lacking: Sequence[Unfinished]
    """Drills of the suite that cannot run here."""
    repeats: int
    seed: int
    plane: PlaneKind
    runs: Path
    """The folder of runs."""
    simulate_minutes: float | None = None
    source: str = NIGHTLY


@dataclass(frozen=True, kw_only=True)
class NightRun:
    """A night that is over."""

    name: str
    results: Sequence[Result]
    interrupted: bool


def record_night(order: NightOrder, database: HistoryDatabase, console: Console) -> NightRun:
    """Run a night, recording each run as it begins and ends. A night that ends early is recorded as broken off."""
    runs = planned_runs(order.drills, order.repeats, order.seed, order.plane)
    minutes = order.simulate_minutes or 0.0
    simulated = [named for named in order.drills if why_not(named.drill) is None] if minutes else []
    plan = night_plan(order.suite, runs, order.repeats, order.seed, order.plane)
    plan = msgspec.structs.replace(plan, planned=plan.planned + len(simulated), source=order.source)
    recording = Recording(database, plan)
    for warning in recording.warnings:
        console.print(warning, style="yellow", markup=False, soft_wrap=True)
    try:
        interrupted, results = _run(order, runs, recording, console)
        for place, named in enumerate(() if interrupted else simulated, start=len(runs)):
            _simulate(named, place, minutes / len(simulated), recording, order.runs, console)
    except BaseException as error:
        with suppress(HarnessError):  # report the first error, not this one
            recording.break_off("interrupted" if isinstance(error, KeyboardInterrupt) else str(error))
        raise
    if interrupted:
        recording.break_off("interrupted")
    else:
        recording.complete()
    _say(recording.name, database, console)
    return NightRun(name=recording.name, results=results, interrupted=interrupted)


def _run(
    order: NightOrder, runs: Sequence[PlannedRun], recording: Recording, console: Console
) -> tuple[bool, Sequence[Result]]:
    """Make the runs of the night. Returns whether it was interrupted, and the results."""
    specs, keeper = [run.spec for run in runs], _Keeper(recording, runs)
    try:
        series = run_orders(specs, suite_exit_code, keeper, console, runs=order.runs, not_run=order.lacking, brief=True)
    except OF_ONE_RUN as error:  # no run has a result, but the night goes on
        console.print(f"? unknown: {error}", style="yellow", markup=False, soft_wrap=True)
        return False, []
    return series.interrupted, series.results


def _simulate(named: NamedDrill, place: int, minutes: float, recording: Recording, runs: Path, console: Console) -> None:
    """Simulate a drill with new seeds, and record the first failure, or how many held, as one run of the night."""
    tally, began_utc = Tally(named=named), datetime.now(UTC)
    name, first = name_if_simulated(named.name), new_seed()
    run = recording.begin_run(
        place=place, drill=name, repeat=1, seed=first, rerun=f"harness simulate {named.again}", limit_s=minutes * 60
    )
    count_seeds(tally, fresh_seeds(minutes, first), (), len(os.sched_getaffinity(0)))
    if tally.wrong:
        found = tally.wrong[0]
        shown = replay(named, found.seed, (), runs)
        measured = measured_of(shown.result, shown.history, shown.run_dir, 1)
        if shown.result.verdict != found.verdict:  # this process has another hash seed, and something depends on a set's order
            why = f"{found.why} (with another hash seed, {shown.result.verdict})"
            measured = msgspec.structs.replace(measured, verdict=found.verdict, as_expected=False, why=why)
    else:
        measured = held_in_simulation(named, tally.held + tally.caught, tally.summary_line, began_utc, first)
    told = f"{name}: {measured.why or tally.summary_line}"
    console.print(told, style="red" if tally.wrong else None, markup=False, soft_wrap=True, highlight=False)
    recording.end_run(run, as_simulated(measured))


class _Keeper:
    """Records each run of a night as it begins and ends."""

    def __init__(self, recording: Recording, runs: Sequence[PlannedRun]) -> None:
        self._recording = recording
        self._runs = runs
        self._run = 0
        self._repeat = 1

    def begins(self, place: int) -> None:
        spec, self._repeat = self._runs[place].spec, self._runs[place].repeat
        self._run = self._recording.begin_run(
            place=place,
            drill=spec.name,
            repeat=self._repeat,
            seed=spec.seed,
            rerun="" if spec.invocation is None else spec.invocation.line(),
            limit_s=limit_s(spec.drill),
        )

    def ended(self, done: CompletedRun) -> None:
        try:
            self._recording.end_run(self._run, measured_of(done.result, done.history, done.run_dir, self._repeat))
        except HarnessError as error:
            raise type(error)(
                f"{error} The run itself is kept: add it with `harness history import {done.run_dir}`."
            ) from error

    def failed(self, error: HarnessError) -> None:
        self._recording.fail_run(self._run, str(error))


def _say(name: str, database: HistoryDatabase, console: Console) -> None:
    runs = database.runs(night=name)
    counted = sum(run.counted for run in runs)
    line = f"Night {name} is in {database.name}: {count(len(runs), 'run')}, of which {counted} count when nights are compared."
    console.print(f"\n{line}", markup=False, soft_wrap=True)
    for run in runs:
        if not run.counted:
            why = run.not_counted if run.state == "ended" else run.why
            console.print(f"  {run.drill}, seed {run.seed}: {why}", style="yellow", markup=False, soft_wrap=True)
