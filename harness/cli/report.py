"""Write one self-contained HTML page about one or more runs, the newest by default."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from harness.cli.written import report
from results.record.load_result import LOAD_RESULT
from results.record.store import RESULT, latest
from results.record.train_result import TRAIN_RESULT

_RESULTS: Final = (RESULT, LOAD_RESULT, TRAIN_RESULT)
"""Of runs of drills, of loads and of trainings: each has a page."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which runs, and where the page goes."""
    parser.add_argument("runs", nargs="*", metavar="RUN", type=Path, help="a run's folder (default: the newest)")
    parser.add_argument("--out", type=Path, default=Path("report.html"), metavar="FILE", help="(default: report.html)")


def execute(arguments: argparse.Namespace) -> int:
    """Write the page and print where it is."""
    print(report(arguments.runs or [latest(results=_RESULTS)], arguments.out))
    return 0
