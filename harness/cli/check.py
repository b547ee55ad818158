"""Judge a recorded history: a run's folder, .parquet, .csv or .jsonl."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.cli.console import new_console
from harness.model.verdict import EXIT_CODES
from harness.run import catalog
from harness.run.judging import check
from results.record.histories import load_history
from results.record.result import verdict_of
from results.report.terminal import print_checks


def add_options(parser: argparse.ArgumentParser) -> None:
    """The history, and what to check it for."""
    parser.add_argument("history", metavar="HISTORY", type=Path)
    parser.add_argument(
        "--checker", dest="checkers", action="append", metavar="NAME", help="check for this; without it, for all that apply"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Judge the history; the exit code is the verdict's."""
    history = load_history(arguments.history)
    if arguments.checkers:
        chosen = [catalog.find_checker(name) for name in arguments.checkers]
    else:
        chosen = catalog.checkers_for(history)
    found = check(history, chosen)
    print_checks(found, history, new_console())
    return EXIT_CODES[verdict_of(found, ())]
