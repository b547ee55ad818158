"""Run a suite several times, record it in the history, and say what moved since earlier nights."""

from __future__ import annotations

import argparse

from harness.cli.calibrating import calibrate
from harness.cli.history_options import add_history, add_runs
from harness.cli.load_options import above, whole
from harness.cli.night_recorder import NightOrder, record_night
from harness.cli.nightly_output import add_outputs, output_console, write_outputs
from harness.cli.run_options import add_fault_plane, seed
from harness.cli.running import INTERRUPTED
from harness.cli.suites import runnable
from harness.cli.written import writing
from harness.model.errors import UsageError
from results.record.nights.database import HistoryDatabase
from results.trends.recorded import judged
from results.trends.remarks import FEWEST

_CALIBRATION_NIGHTS = 12


def add_options(parser: argparse.ArgumentParser) -> None:
    """The suite, how often to run it, and where to record it."""
    parser.add_argument("suite", nargs="?", metavar="SUITE", help="a folder of drills, such as quorum (default: all drills)")
    parser.add_argument(
        "--repeats", type=whole, default=3, metavar="N", help="run the suite N times, in alternating order (default: 3)"
    )
    parser.add_argument(
        "--seed",
        type=seed,
        default=1,
        metavar="N",
        help="seed of the first repeat; the next uses N+1, … (default: 1, so that every night makes the same calls and faults)",
    )
    parser.add_argument(
        "--simulate-minutes",
        type=above,
        metavar="M",
        help="then simulate its drills for M minutes, with new seeds each night",
    )
    parser.add_argument(
        "--calibrate",
        action="store_true",
        help="run nights in a row with the same code, to measure this machine's noise and the rate of false alarms",
    )
    parser.add_argument(
        "--nights",
        type=whole,
        metavar="N",
        help=f"with --calibrate: how many, at least {FEWEST} (default: {_CALIBRATION_NIGHTS})",
    )
    add_history(parser)
    add_fault_plane(parser)
    add_runs(parser)
    add_outputs(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run and record a night, then compare it with the earlier ones.

    1 if a run showed wrong behaviour; 3 if a figure got worse or an SLO was missed; 4 if that is unknown; 0 if nothing got
    worse.
    """
    _check(arguments)
    with writing(arguments.runs):
        arguments.runs.mkdir(parents=True, exist_ok=True)  # files asked for may go there, on the first night, too
    console = output_console(arguments)
    drills, lacking = runnable(arguments.suite, console, nightly=True)
    database = HistoryDatabase.open(arguments.history, create=True)  # fails now, before anything runs
    order = NightOrder(
        suite=arguments.suite,
        drills=drills,
        lacking=lacking,
        repeats=arguments.repeats,
        seed=arguments.seed,
        plane=arguments.fault_plane,
        runs=arguments.runs,
        simulate_minutes=arguments.simulate_minutes,
    )
    if arguments.calibrate:
        return calibrate(order, arguments.nights or _CALIBRATION_NIGHTS, database, console)
    night = record_night(order, database, console)
    nightly = judged(database, last=night.name, objective=arguments.objective, calibrated=True)
    write_outputs(nightly, arguments, arguments.runs, console)
    return INTERRUPTED if night.interrupted else nightly.exit_code


def _check(arguments: argparse.Namespace) -> None:
    """Raise `UsageError` if options do not go together."""
    if not arguments.calibrate:
        if arguments.nights is not None:
            raise UsageError("--nights needs --calibrate. Without it, harness nightly records one night.")
        return
    if arguments.nights is not None and arguments.nights < FEWEST:
        raise UsageError(f"--nights {arguments.nights}: fewer than {FEWEST} show nothing. Ask for more.")
    written = ("page", "json_file", "markdown", "junit", "simulate_minutes")
    if any(getattr(arguments, name) is not None for name in written):
        raise UsageError(
            "--calibrate does not judge a night: leave out --page, --json, --markdown, --junit and --simulate-minutes."
            " Later nights' reports show what it measured."
        )
