"""What `harness nightly` and `harness history report` write: the page, and whatever else is asked for."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from rich.console import Console

from results.record.store import RUNS
from results.report.nightly_page import write_nightly_page
from results.report.nightly_terminal import print_nightly
from results.trends.nightly import Nightly

PAGE: Final = "nightly.html"
"""The name of the page, in the folder of runs."""


def add_outputs(parser: argparse.ArgumentParser) -> None:
    """Where the page goes."""
    parser.add_argument("--page", type=Path, metavar="FILE", help=f"write the page there (default: {RUNS / PAGE})")


def write_outputs(nightly: Nightly, arguments: argparse.Namespace, runs: Path, console: Console) -> None:
    """Write everything that is asked for, and print the night."""
    page = arguments.page or runs / PAGE
    write_nightly_page(nightly, page)
    print_nightly(nightly, page, console)
