"""Run a suite of drills (the default suite, unless you name one) and write its report."""

from __future__ import annotations

import argparse

from harness.cli.run_options import add_run_options
from harness.cli.running import console_for, run_all
from harness.cli.suites import runnable
from harness.cli.written import report
from results.record.result import suite_exit_code
from results.report.terminal import print_suite


def add_options(parser: argparse.ArgumentParser) -> None:
    """The suite, and how to run it."""
    parser.add_argument("suite", nargs="?", metavar="SUITE", help="a folder of drills, such as quorum")
    add_run_options(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run every drill of a suite, then write one report; 0 if each run ended as its drill expects."""
    console = console_for(arguments)
    able, lacking = runnable(arguments.suite, console, nightly=False)
    series = run_all(able, arguments, suite_exit_code, not_run=lacking)
    page = report([done.run_dir for done in series.finished], arguments.runs / f"{series.finished[0].run_dir.name}.html")
    print_suite(series.results, console, page, asked=len(able))
    return series.exit_code
