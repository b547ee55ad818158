"""Judge a history recorded from any system: a run's folder, a table of calls, or events as Jepsen records them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from harness.checkers.linearizable import linearizable_as
from harness.cli.console import new_console
from harness.model import objects
from harness.model.history import History
from harness.model.verdict import EXIT_CODES, Checker
from harness.run import catalog
from harness.run.judging import check
from harness.run.models import find_model
from harness.run.rejudging import judge_again
from harness.run.unjudged import all_judged
from results.analysis.judge import SLOResult
from results.record.histories import Conventions, load_history
from results.record.result import CheckResult, verdict_of
from results.record.store import RESULT, load_result
from results.record.units import UNITS
from results.report.terminal import print_checks


def add_options(parser: argparse.ArgumentParser) -> None:
    """The history, and the checks."""
    parser.add_argument("history", metavar="HISTORY", type=Path, help="a run's folder, or a file; docs/check.md lists formats")
    parser.add_argument(
        "--checker",
        dest="checkers",
        action="append",
        metavar="NAME",
        help="run this check (default: for a run, its drill's checks and SLOs; for other histories, every check that applies)",
    )

    parser.add_argument(
        "--map",
        dest="kinds",
        type=_kinds,
        default={},
        metavar="NAME=KIND,…",
        help="translate the history's names of calls, such as get=read,put=write",
    )
    parser.add_argument(
        "--model",
        metavar="NAME|FILE.py:CLASS",
        help=f"judge whether each key was linearizable as this object: {', '.join(objects.names())}, or a class of your own",
    )
    parser.add_argument("--unit", choices=list(UNITS), help="unit of times whose columns do not name one (default: ns)")


def _kinds(text: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in text.split(",")]
    if not all(name and equals and kind for name, equals, kind in pairs):
        raise argparse.ArgumentTypeError(f"expected NAME=KIND, such as get=read,put=write; got {text!r}")
    return {name: kind for name, _, kind in pairs}


def execute(arguments: argparse.Namespace) -> int:
    """Judge the history; the exit code is the verdict's."""
    history = load_history(arguments.history, Conventions(kinds=arguments.kinds, unit=arguments.unit))
    checkers = [catalog.find_checker(name) for name in arguments.checkers or ()]
    if arguments.model is None:
        checks, slos = _judged(arguments.history, history, checkers)
    else:
        model = find_model(arguments.model)
        found = check(history, [linearizable_as(model), *checkers])
        checks, slos = (*found, all_judged(history, checkers, model.kinds)), ()
    print_checks(checks, history, new_console(), slos)
    return EXIT_CODES[verdict_of(checks, slos)]


def _judged(
    path: Path, history: History, asked_for: Sequence[Checker]
) -> tuple[tuple[CheckResult, ...], tuple[SLOResult, ...]]:
    if asked_for:
        return check(history, asked_for), ()
    if (path / RESULT).is_file():
        return judge_again(load_result(path), history)
    chosen = catalog.checkers_for(history)
    return (*check(history, chosen), all_judged(history, chosen)), ()
