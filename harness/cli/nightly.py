"""Run a suite several times, record it in the history, and say what moved since earlier nights."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import suppress

from rich.console import Console

from harness.cli.history_options import add_history, add_runs
from harness.cli.load_options import whole
from harness.cli.nightly_output import add_outputs, output_console, write_outputs
from harness.cli.run_options import add_fault_plane
from harness.cli.running import INTERRUPTED, run_orders
from harness.cli.suites import runnable
from harness.model.errors import FaultError, HarnessError, NodeDown
from harness.run.night import PlannedRun, measured_of, night_plan, planned_runs
from harness.run.runner import CompletedRun, limit_s
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
    recording = Recording(database, night_plan(arguments.suite, runs, arguments.repeats, arguments.seed, plane))
    for warning in recording.warnings:
        console.print(warning, style="yellow", markup=False, soft_wrap=True)
    try:
        orders, keeper = [run.spec for run in runs], _Keeper(recording, runs)
        series = run_orders(orders, suite_exit_code, keeper, console, runs=arguments.runs, not_run=lacking, brief=True)
        interrupted = series.interrupted
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
