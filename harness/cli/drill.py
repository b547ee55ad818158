"""Run drills by name."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.cli.run_options import add_run_options, add_settings
from harness.cli.running import run_all
from harness.model.errors import UsageError
from harness.run import catalog
from results.record.result import exit_code


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which drills, with which changes."""
    parser.add_argument("names", nargs="+", metavar="NAME", help="a drill's name, such as quorum/isolated, or its file")
    add_settings(parser)
    parser.add_argument(
        "--schedule", type=Path, metavar="FILE", help="replay the faults of a schedule.json, or of a run's folder"
    )
    add_run_options(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run the drills; the exit code is that of the gravest verdict."""
    drills = [catalog.find_drill(name, arguments.settings) for name in arguments.names]
    if arguments.schedule is not None and len(drills) > 1:
        raise UsageError(f"--schedule {arguments.schedule} is for one drill; {len(drills)} are named. Name one.")
    return run_all(drills, arguments, exit_code, settings=arguments.settings, schedule=arguments.schedule).exit_code
