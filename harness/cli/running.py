"""Runs several drills in sequence, for `harness run` and `harness drill`."""

from __future__ import annotations

import argparse
import contextlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from rich.console import Console

from harness.cli.console import new_console
from harness.cli.live import Live
from harness.cli.pace import Pace
from harness.cli.written import STDOUT, check_writable, put
from harness.model.drill import Drill
from harness.model.errors import OF_ONE_RUN, HarnessError
from harness.model.slo import SLO
from harness.model.system import HasCaveats
from harness.run.catalog import NamedDrill
from harness.run.runner import CompletedRun, run
from harness.run.spec import SEED_BITS, RunSpec, run_spec_of
from results.analysis.judge import undecidable
from results.record.result import Result
from results.record.suite import SuiteResult, Unfinished, encode
from results.report.page import REPORT, write_run_report
from results.report.terminal import print_headline, print_result
from workloads.load.arrivals import expected

INTERRUPTED: Final = 130

ExitCode = Callable[[Sequence[Result]], int]
"""The exit code for some results, by the rules of one command."""


class Keeper(Protocol):
    """Records each run's outcome, in addition to the folder of runs."""

    def begins(self, place: int) -> None:
        """The run at this place in the series begins."""

    def ended(self, done: CompletedRun) -> None:
        """It has a result."""

    def failed(self, error: HarnessError) -> None:
        """It broke off without a result."""


class Unkept:
    """Keeps nothing."""

    def begins(self, place: int) -> None: ...

    def ended(self, done: CompletedRun) -> None: ...

    def failed(self, error: HarnessError) -> None: ...


@dataclass(frozen=True, kw_only=True)
class FinishedRun:
    """A run that has a result. Its history stays on disk: a night's would fill the memory."""

    run_dir: Path
    result: Result


@dataclass(kw_only=True)
class Series:
    """The outcome of the drills asked for."""

    exit_code_of: ExitCode
    finished: list[FinishedRun] = field(default_factory=list)
    broken: list[HarnessError] = field(default_factory=list)
    unfinished: list[Unfinished] = field(default_factory=list)
    interrupted: bool = False
    ended_by: Exception | None = None
    """The error that keeps the other drills from running."""

    @property
    def results(self) -> list[Result]:
        return [done.result for done in self.finished]

    @property
    def exit_code(self) -> int:
        """That of the results or, if these are all as expected, that of runs that broke off."""
        if self.interrupted:
            return INTERRUPTED
        if self.ended_by is not None:
            return self.ended_by.exit_code if isinstance(self.ended_by, HarnessError) else HarnessError.exit_code
        return self.exit_code_of(self.results) or max((error.exit_code for error in self.broken), default=0)


def console_for(arguments: argparse.Namespace) -> Console:
    """Standard output, unless the JSON goes there."""
    return new_console(stderr=arguments.json_file == STDOUT)


def run_all(
    drills: Sequence[NamedDrill],
    arguments: argparse.Namespace,
    exit_code_of: ExitCode,
    *,
    settings: Sequence[str] = (),
    schedule: Path | None = None,
    not_run: Sequence[Unfinished] = (),
) -> Series:
    """Run drills in sequence, with the options of `add_run_options`; report each, and write it as JSON, as it ends.

    Ctrl-C ends the series, which then holds the finished runs. If the only drill breaks off, raises its error; so does one that
    no other drill can follow, such as one with a full disk, after the JSON is written.
    """
    seed = secrets.randbits(SEED_BITS) if arguments.seed is None else arguments.seed
    if arguments.json_file is not None:
        check_writable(arguments.json_file)
    orders = [run_spec_of(named, seed, settings, arguments.fault_plane, schedule) for named in drills]
    return run_orders(
        orders,
        exit_code_of,
        Unkept(),
        console_for(arguments),
        runs=arguments.runs,
        json_file=arguments.json_file,
        not_run=not_run,
    )


def run_orders(
    orders: Sequence[RunSpec],
    exit_code_of: ExitCode,
    keeper: Keeper,
    console: Console,
    *,
    runs: Path,
    json_file: Path | None = None,
    not_run: Sequence[Unfinished] = (),
    brief: bool = False,
) -> Series:
    """The same for runs already specified. The keeper is called as each begins and ends.

    `brief`: print only one line for a run that ended as expected.
    """
    pace = Pace([order.drill.load.seconds for order in orders])
    series = Series(exit_code_of=exit_code_of, unfinished=list(not_run))
    for place, order in enumerate(orders):
        keeper.begins(place)
        try:
            done = _run_one(order, runs, console, pace, brief=brief)
            series.finished.append(FinishedRun(run_dir=done.run_dir, result=done.result))
            keeper.ended(done)
        except OF_ONE_RUN as error:
            keeper.failed(error)
            if len(orders) == 1:
                raise
            series.broken.append(error)
            series.unfinished.append(Unfinished(drill=order.name, why=str(error)))
            console.print(f"? unknown: {order.name}: {error}", style="yellow", markup=False, soft_wrap=True)
        except Exception as error:  # a module of the user's may raise anything
            if len(orders) > 1:
                series.ended_by = error
                why = str(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}"
                series.unfinished.append(Unfinished(drill=order.name, why=why))
                series.unfinished += [Unfinished(drill=left.name, why="not begun") for left in orders[place + 1 :]]
                with contextlib.suppress(HarnessError):  # the first error is the one to tell
                    _write_json(json_file, series, last=True)
            raise
        except KeyboardInterrupt:
            if not series.finished:
                raise
            series.interrupted = True
            series.unfinished += [Unfinished(drill=left.name, why="interrupted") for left in orders[place:]]
        pace.next_done()
        _write_json(json_file, series, last=place == len(orders) - 1 or series.interrupted)
        if series.interrupted:
            break
    if not series.finished:
        raise series.broken[0]
    return series


def _run_one(order: RunSpec, runs: Path, console: Console, pace: Pace, *, brief: bool) -> CompletedRun:
    load, slos = order.drill.load, [SLO.parse(text) for text in order.drill.slos]
    for line in undecidable(slos, expected(load), load.seconds, faults=bool(order.drill.faults)):
        console.print(f"? {order.name}: {line}", style="yellow", markup=False, soft_wrap=True)
    say_caveats(order.name, order.drill, console)
    with Live(console, order, str(pace)) as live:
        done = run(order, runs=runs, observer=live)
    page = done.run_dir / REPORT
    write_run_report(done.run_dir, done.result, done.history, page)
    place = str(pace).partition("]")[0].removeprefix("[")
    if brief and done.result.as_expected:
        print_headline(done.result, console, place)
    else:
        print_result(done.result, console, done.run_dir, page, place)
    return done


def say_caveats(name: str, drill: Drill, console: Console) -> None:
    """Print which guarantees the drill's system gives up with these settings."""
    for line in drill.system.caveats() if isinstance(drill.system, HasCaveats) else ():
        console.print(f"! {name}: {line}", style="yellow", markup=False, highlight=False, soft_wrap=True)


def _write_json(file: Path | None, series: Series, *, last: bool) -> None:
    if file is None or (file == STDOUT and not last):
        return
    text = encode(SuiteResult(exit_code=series.exit_code, results=tuple(series.results), unfinished=tuple(series.unfinished)))
    put(text, file)
