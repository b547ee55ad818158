"""Run a suite several times, record it in the history, and say what moved since earlier nights."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console

from harness.cli.history_options import add_history, add_runs
from harness.cli.load_options import above, whole
from harness.cli.nightly_output import add_outputs, output_console, write_outputs
from harness.cli.run_options import add_fault_plane
from harness.cli.running import INTERRUPTED, run_orders
from harness.cli.seeds import Tally, count_seeds, fresh_seeds, new_seed, replay
from harness.cli.suites import runnable
from harness.model.errors import FaultError, HarnessError, NodeDown
from harness.run.catalog import NamedDrill
from harness.run.night import PlannedRun, held_in_simulation, measured_of, night_plan, planned_runs
from harness.run.runner import CompletedRun, limit_s
from harness.simulation.seed_run import why_not
from results.record.nights.database import HistoryDatabase
from results.record.nights.recording import Recording
from results.record.result import suite_exit_code
from results.trends.recorded import judged


def add_options(parser: argparse.ArgumentParser) -> None:
    """The suite, how often it is run, and where it is recorded."""
    parser.add_argument("suite", nargs="?", metavar="SUITE", help="a folder of drills, such as quorum; else all drills")
    parser.add_argument(
        "--repeats", type=whole, default=3, metavar="N", help="run the suite N times, every other time backwards (default: 3)"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        metavar="N",
        help="of the first repeat; the next one's is N+1, … (default: 1, so that every night makes the same calls and faults)",
    )
    parser.add_argument(
        "--simulate-minutes",
        type=above,
        metavar="M",
        help="then simulate its drills for so long, with seeds that are new each night",
    )
    add_history(parser)
    add_fault_plane(parser)
    add_runs(parser)
    add_outputs(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run and record a night, then judge it beside the earlier ones.

    1 if a run showed wrong behaviour; 3 if a figure got worse or an SLO was missed; 4 if that cannot be told; 0 if nothing
    moved for the worse.
    """
    console = output_console(arguments)
    drills, lacking = runnable(arguments.suite, console, nightly=True)
    database = HistoryDatabase.open(arguments.history, create=True)  # what is wrong with it is said before anything runs
    plane = arguments.fault_plane
    runs = planned_runs(drills, arguments.repeats, arguments.seed, plane)
    simulated = [named for named in drills if why_not(named.drill) is None] if arguments.simulate_minutes else []
    plan = night_plan(arguments.suite, runs, arguments.repeats, arguments.seed, plane)
    recording = Recording(database, msgspec.structs.replace(plan, planned=plan.planned + len(simulated)))
    for warning in recording.warnings:
        console.print(warning, style="yellow", markup=False, soft_wrap=True)
    try:
        orders, keeper = [run.spec for run in runs], _Keeper(recording, runs)
        series = run_orders(orders, suite_exit_code, keeper, console, runs=arguments.runs, not_run=lacking, brief=True)
        interrupted = series.interrupted
        for place, named in enumerate(() if interrupted else simulated, start=len(runs)):
            _simulate(named, place, arguments.simulate_minutes / len(simulated), recording, arguments.runs, console)
    except (FaultError, NodeDown) as error:  # no run has a result: the night is complete all the same
        console.print(f"? unknown: {error}", style="yellow", markup=False, soft_wrap=True)
        interrupted = False
    except BaseException as error:
        with suppress(HarnessError):  # what went wrong first is what there is to say
            recording.break_off("interrupted" if isinstance(error, KeyboardInterrupt) else str(error))
        raise
    if interrupted:
        recording.break_off("interrupted")
    else:
        recording.complete()
    _say(recording.name, database, console)
    nightly = judged(database, last=recording.name, objective=arguments.objective, calibrated=True)
    write_outputs(nightly, arguments, arguments.runs, console)
    return INTERRUPTED if interrupted else nightly.exit_code


def _simulate(named: NamedDrill, place: int, minutes: float, recording: Recording, runs: Path, console: Console) -> None:
    """Simulate a drill with new seeds, and record the first that failed, or how many held, as one run of the night."""
    tally, began_utc = Tally(named=named), datetime.now(UTC)
    name, first = f"{named.name} (simulated)", new_seed()
    run = recording.begin_run(
        place=place, drill=name, repeat=1, seed=first, rerun=f"harness simulate {named.again}", limit_s=minutes * 60
    )
    count_seeds(tally, fresh_seeds(minutes, first), (), len(os.sched_getaffinity(0)))
    if tally.wrong:
        shown = replay(named, tally.wrong[0].seed, (), runs)
        measured = measured_of(shown.result, shown.history, shown.run_dir, 1)
    else:
        measured = held_in_simulation(named, tally.held, tally.summary_line, began_utc, first)
    told = f"{name}: {measured.why or tally.summary_line}"
    console.print(told, style="red" if tally.wrong else None, markup=False, soft_wrap=True, highlight=False)
    figures = {"figures": (), "histogram": None, "not_counted": "it was simulated"}
    recording.end_run(run, msgspec.structs.replace(measured, drill=name, **figures))


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
    line = f"Night {name} is in {database.name}: {len(runs)} runs, {counted} of which count when nights are compared."
    console.print(f"\n{line}", markup=False, soft_wrap=True)
    for run in runs:
        if not run.counted:
            why = run.not_counted if run.state == "ended" else run.why
            console.print(f"  {run.drill}, seed {run.seed}: {why}", style="yellow", markup=False, soft_wrap=True)
