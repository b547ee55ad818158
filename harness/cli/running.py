"""Several drills, one after another, as `harness run` and `harness drill` run them."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from harness.cli.live import Live
from harness.cli.written import report, write_json, writing
from harness.model.errors import FaultError, HarnessError, NodeDown
from harness.model.slo import SLO
from harness.run.catalog import NamedDrill
from harness.run.runner import CompletedRun, run
from harness.run.spec import SEED_BITS, run_spec_of
from results.analysis.judge import undecidable
from results.report.page import REPORT
from results.report.terminal import print_result
from workloads.load.arrivals import expected


def run_all(
    drills: Sequence[NamedDrill], arguments: argparse.Namespace, *, settings: Sequence[str] = (), schedule: Path | None = None
) -> tuple[list[CompletedRun], int]:
    """Run drills in turn, with the options of `add_run_options`. Each is reported and written as it ends.

    Returns the finished runs, and the exit code for those that broke off, 0 if none did.
    """
    seed = secrets.randbits(SEED_BITS) if arguments.seed is None else arguments.seed
    console = Console()
    finished: list[CompletedRun] = []
    if arguments.json_file is not None:
        with writing(arguments.json_file):
            arguments.json_file.write_bytes(b"")  # better now than after the runs; and an old one is not taken for new
    broken: list[HarnessError] = []
    for order in [run_spec_of(named, seed, settings, arguments.fault_plane, schedule) for named in drills]:
        load, slos = order.drill.load, [SLO.parse(text) for text in order.drill.slos]
        for line in undecidable(slos, expected(load), load.seconds, faults=bool(order.drill.faults)):
            console.print(f"? {order.name}: {line}", style="yellow", markup=False, highlight=False, soft_wrap=True)
        try:
            with Live(console, order) as live:
                done = run(order, runs=arguments.runs, observer=live)
        except (FaultError, NodeDown) as error:  # this one has no verdict; that says nothing about the others
            if len(drills) == 1:
                raise
            broken.append(error)
            console.print(f"? unknown: {order.name}: {error}", style="yellow", markup=False, highlight=False, soft_wrap=True)
            continue
        finished.append(done)
        print_result(done.result, console, done.run_dir, report([done.run_dir], done.run_dir / REPORT))
        if arguments.json_file is not None:
            write_json(arguments.json_file, [one.result for one in finished], several=len(drills) > 1)
    if not finished:
        raise broken[0]
    return finished, max((error.exit_code for error in broken), default=0)
