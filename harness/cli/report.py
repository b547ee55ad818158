"""Write one self-contained HTML page of one or more runs, the newest if none is named."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.cli.written import report
from results.record.store import latest


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which runs, and where the page goes."""
    parser.add_argument("runs", nargs="*", metavar="RUN", type=Path)
    parser.add_argument("--out", type=Path, default=Path("report.html"), metavar="FILE")


def execute(arguments: argparse.Namespace) -> int:
    """Write the page and print where it is."""
    print(report(arguments.runs or [latest()], arguments.out))
    return 0
