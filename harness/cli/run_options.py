"""The options that `harness run` and `harness drill` share."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Seed, fault plane, and where to put the result and the runs."""
    parser.add_argument(
        "--seed", type=seed, metavar="N", help="repeat a run: the seed determines calls, arrivals, fault times and targets"
    )
    add_fault_plane(parser)
    parser.add_argument(
        "--json", dest="json_file", type=Path, metavar="FILE", help="write the results as JSON; - is standard output"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where runs are kept (default: runs)")


def seed(text: str) -> int:
    """A seed that fits into 64 bits, as the history of nights keeps it."""
    try:
        number = int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from error
    if not -(2**63) <= number < 2**63:
        raise argparse.ArgumentTypeError(f"{text} does not fit into 64 bits")
    return number


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Changes to a drill."""
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="change the drill, such as load.rate=1000",
    )


def add_fault_plane(parser: argparse.ArgumentParser) -> None:
    """The server that every link goes through."""
    parser.add_argument(
        "--fault-plane",
        choices=("embedded", "toxiproxy"),
        default="embedded",
        help="embedded (default), or the real Toxiproxy at TOXIPROXY_URL, on PATH, or from `harness toxiproxy install`",
    )
