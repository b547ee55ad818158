"""Run a suite of drills, the default suite if none is named, and write its report."""

from __future__ import annotations

import argparse

from harness.cli.run_options import add_run_options
from harness.cli.running import console_for, run_all
from harness.cli.written import report
from harness.cluster.requirements import missing_for
from harness.model.errors import UsageError
from harness.run import catalog
from results.record.result import suite_exit_code
from results.record.suite import Unfinished
from results.report.terminal import print_suite


def add_options(parser: argparse.ArgumentParser) -> None:
    """The suite, and how it is run."""
    parser.add_argument("suite", nargs="?", metavar="SUITE", help="a folder of drills, such as quorum")
    add_run_options(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run every drill of a suite, then write one report. 0 if each ended as its drill expects."""
    console = console_for(arguments)
    names = catalog.drill_names(arguments.suite) if arguments.suite else list(catalog.drill_files())
    drills = [named for name in names if not (named := catalog.find_drill(name)).drill.nightly or arguments.suite]
    lacking = [
        Unfinished(drill=named.name, why=missing)
        for named in drills
        if (missing := missing_for(named.drill.system, namespaces=named.drill.namespaces))
    ]
    for one in lacking:
        console.print(f"not run: {one.drill}: {one.why}", style="yellow", markup=False, soft_wrap=True)
    skipped = {one.drill for one in lacking}
    if len(skipped) == len(drills):
        raise UsageError("None of these drills can run on this machine.")
    able = [named for named in drills if named.name not in skipped]
    series = run_all(able, arguments, suite_exit_code, not_run=lacking)
    page = report([done.run_dir for done in series.finished], arguments.runs / f"{series.finished[0].run_dir.name}.html")
    print_suite(series.results, console, page, asked=len(able))
    return series.exit_code
