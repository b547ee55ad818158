"""The options of `harness nightly` and `harness history` that say where the history is."""

from __future__ import annotations

import argparse
from pathlib import Path

from results.record.nights.connection import HISTORY
from results.record.store import RUNS


def add_history(parser: argparse.ArgumentParser) -> None:
    """The history's file or URL."""
    parser.add_argument(
        "--history",
        default=str(RUNS / HISTORY),
        metavar="FILE|URL",
        help=f"an SQLite file, or postgresql://user@host/name (default: {RUNS / HISTORY})",
    )


def add_runs(parser: argparse.ArgumentParser) -> None:
    """The folder of runs."""
    parser.add_argument("--runs", type=Path, default=RUNS, metavar="DIR", help=f"where runs are kept (default: {RUNS})")
