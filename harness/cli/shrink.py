"""Reduce a failing run's faults to a minimal schedule that still fails in the same way."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from harness.cli.live import Live
from harness.cli.load_options import above, whole
from harness.cli.written import writing
from harness.model.errors import HarnessError
from harness.model.verdict import EXIT_CODES
from harness.run.injector import described
from harness.run.runner import run
from harness.run.shrinking import MINIMAL, Failed, OutOfTime, Shrinking, failures, write
from harness.run.spec import RunSpec
from results.record.result import Result


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which run, and how long to search."""
    parser.add_argument("run", metavar="RUN", type=Path, help="the folder of a run that failed")
    parser.add_argument(
        "--repeats",
        type=whole,
        default=3,
        metavar="N",
        help="try a schedule up to N times before it counts as passing (default: 3)",
    )
    parser.add_argument(
        "--minutes", type=above, default=15.0, metavar="M", help="time limit (default: 15); Ctrl-C also stops the search"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Search, keeping the best schedule so far in the run's folder, however the search ends."""
    console = Console(soft_wrap=True, highlight=False, markup=False)
    failed = Failed.of(arguments.run)
    file = arguments.run / MINIMAL
    console.print(
        f"{failed.order.name}, seed {failed.order.seed}: looking for the least that causes {' or '.join(sorted(failed.how))}"
    )
    ended = 0
    with TemporaryDirectory() as scratch:
        shrinking = Shrinking(
            failed,
            repeats=arguments.repeats,
            limit_s=arguments.minutes * 60,
            once=lambda order: _shown(order, Path(scratch), console),
        )
        try:
            for best in shrinking.steps():
                with writing(file):
                    again = write(best, failed, file)
        except OutOfTime:
            console.print(f"The {arguments.minutes:g} minutes are over; the schedule may not be minimal.")
        except KeyboardInterrupt:
            console.print("Interrupted; the schedule may not be minimal.")
            ended = 130
    if shrinking.best is None:
        console.print(f"It did not fail like that again in {shrinking.runs} runs. Raise --repeats if it rarely fails.")
        return ended or EXIT_CODES["unknown"]
    count, whole = len(shrinking.best), len(failed.order.windows or ())
    times = f"failed in {shrinking.best_failed} of {shrinking.best_runs} runs of it, {shrinking.runs} runs in all"
    console.print(f"\n{count} of {whole} windows {'is' if count == 1 else 'are'} enough: {times}.")
    for planned in shrinking.best:
        console.print(f"  {described(planned)}")
    console.print(f"\nAgain   {again}")
    return ended


def _shown(order: RunSpec, scratch: Path, console: Console) -> Result:
    """Run a drill without keeping its run, and print one line about its outcome."""
    labels = " ".join(f"{one.label} ({one.window.from_s:g}–{one.window.to_s:g} s)" for one in order.windows or ()) or "no fault"
    try:
        with Live(console, order) as live:
            result = run(order, runs=scratch, observer=live).result
    except HarnessError as error:
        console.print(f"{labels}: broke off: {error}")
        raise
    finally:
        shutil.rmtree(scratch / order.name, ignore_errors=True)
    console.print(f"{labels}: {': '.join([result.verdict, *sorted(failures(result))])}")
    return result
