"""The history of nights: list, show, export, import, judge again and prune."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness.cli.console import new_console
from harness.cli.history_options import add_history
from harness.cli.nightly_output import add_outputs, output_console, write_outputs
from harness.cli.written import STDOUT, put
from harness.run.imports.files import found_in
from results.record.nights.database import HistoryDatabase
from results.record.nights.export import SUFFIXES, check_name, export
from results.record.nights.importing import take_in
from results.record.nights.pruning import prune_nights, prune_run_folders
from results.record.store import RUNS
from results.report.history_terminal import print_night, print_nights
from results.report.nightly_openmetrics import openmetrics
from results.trends.recorded import judged


def add_options(parser: argparse.ArgumentParser) -> None:
    """The action, and its options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = _action(actions, "list", _list, "list the nights, the latest last")
    listing.add_argument("--drill", metavar="NAME", help="only nights that ran this drill")
    listing.add_argument("--suite", metavar="SUITE", help="only nights of this suite")
    _add_since(listing)
    showing = _action(actions, "show", _show, "show one night, run by run")
    showing.add_argument("night", metavar="NIGHT", help="its name, as in `harness history list`; `last` is the latest")
    exporting = _action(actions, "export", _export, "write the runs, with all figures, to a file")
    exporting.add_argument("file", type=Path, metavar="FILE", help=f"its name ends in {', '.join(SUFFIXES)}")
    exporting.add_argument("--drill", metavar="NAME", help="only runs of this drill")
    _add_since(exporting)
    importing = _action(actions, "import", _import, "import measurements made elsewhere")
    importing.add_argument(
        "paths",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="run folders, results of `harness load`, JSON files of pytest-benchmark, CSV files of locust, or folders of these",
    )
    reporting = _action(actions, "report", _report, "judge the nights again, and write the page")
    add_outputs(reporting)
    metrics = _action(actions, "openmetrics", _openmetrics, "write figures, verdicts and error budgets for Prometheus")
    metrics.add_argument("--last", action="store_true", help="only the last night, without timestamps, for scraping")
    metrics.add_argument("--out", type=Path, default=STDOUT, metavar="FILE", help="(default: standard output)")
    pruning = _action(actions, "prune", _prune, "remove old nights")
    pruning.add_argument("--older-than", type=_days_ago, required=True, metavar="DAYS", help="such as 90d")
    pruning.add_argument(
        "--run-folders", action="store_true", help="remove only the folders of their runs; the figures stay in the history"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Do what was asked."""
    action: Callable[[argparse.Namespace], int | None] = arguments.carry_out
    return action(arguments) or 0


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    carry_out: Callable[[argparse.Namespace], int | None],
    summary: str,
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    add_history(parser)
    parser.set_defaults(carry_out=carry_out)
    return parser


def _add_since(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", type=_time, metavar="WHEN", help="only nights since a date (UTC), or an age such as 30d")


def _time(text: str) -> datetime:
    """A date, a date and time (UTC by default), or a number of days ago."""
    if re.fullmatch(r"\d+d", text):
        return _days_ago(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a date, such as 2026-03-01, nor a number of days, such as 30d"
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _days_ago(text: str) -> datetime:
    try:
        if re.fullmatch(r"\d+d", text):
            return datetime.now(UTC) - timedelta(days=int(text[:-1]))
    except OverflowError:  # that was before the year 1
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of days, such as 90d")


def _list(arguments: argparse.Namespace) -> None:
    database = HistoryDatabase.open(arguments.history)
    nights = database.nights(drill=arguments.drill, suite=arguments.suite, since=arguments.since)
    console = new_console()
    if nights:
        print_nights(nights, database.runs(since=arguments.since), console)
    else:
        console.print(f"No matching night in {database.name}.", markup=False, soft_wrap=True)


def _show(arguments: argparse.Namespace) -> None:
    database = HistoryDatabase.open(arguments.history)
    night = database.night(arguments.night)
    runs = database.runs(night=night.name)
    details = database.details({run.id for run in runs})
    print_night(night, runs, {run: figures for run, (figures, _) in details.items()}, new_console())


def _export(arguments: argparse.Namespace) -> None:
    check_name(arguments.file)
    count = export(HistoryDatabase.open(arguments.history), arguments.file, drill=arguments.drill, since=arguments.since)
    print(f"Wrote {_runs(count)} to {arguments.file}.")


def _import(arguments: argparse.Namespace) -> None:
    found = list(found_in(arguments.paths))
    done = take_in(HistoryDatabase.open(arguments.history, create=True), found)
    for remark in dict.fromkeys(remark for part in found for remark in part.remarks):
        print(f"note: {remark}.")
    print(f"Imported {_runs(done.runs)} of {done.nights} night{'' if done.nights == 1 else 's'}.")
    if done.known:
        print(f"Skipped {_runs(done.known)} imported earlier.")


def _report(arguments: argparse.Namespace) -> int:
    """Return the exit code of the last night, so that CI can gate on imported results."""
    console = output_console(arguments)
    nightly = judged(HistoryDatabase.open(arguments.history), objective=arguments.objective, calibrated=True)
    write_outputs(nightly, arguments, RUNS, console)
    return nightly.exit_code


def _openmetrics(arguments: argparse.Namespace) -> None:
    nightly = judged(HistoryDatabase.open(arguments.history))
    put(openmetrics(nightly, every_night=not arguments.last).encode(), arguments.out)


def _prune(arguments: argparse.Namespace) -> None:
    database = HistoryDatabase.open(arguments.history)
    if arguments.run_folders:
        count = prune_run_folders(database, arguments.older_than)
        print(f"{count} run folder{'' if count == 1 else 's'} removed; their figures are still in {database.name}.")
    else:
        count = prune_nights(database, arguments.older_than)
        print(f"{count} night{'' if count == 1 else 's'} removed from {database.name}.")


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"
