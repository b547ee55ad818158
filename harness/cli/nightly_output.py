"""What `harness nightly` and `harness history report` write: the page, and other formats on request."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Final

from rich.console import Console

from harness.cli.console import new_console
from harness.cli.written import STDOUT, check_writable, put, writing
from harness.model.errors import UsageError
from results.record.store import RUNS
from results.report.assets import check_page
from results.report.nightly_json import encode, record_of
from results.report.nightly_junit import junit
from results.report.nightly_markdown import markdown
from results.report.nightly_page import write_nightly_page
from results.report.nightly_terminal import print_nightly
from results.trends.nightly import Nightly
from results.trends.slo_budget import OBJECTIVE

PAGE: Final = "nightly.html"
"""The name of the page, in the folder of runs."""
_STEP_SUMMARY: Final = "GITHUB_STEP_SUMMARY"
"""In a GitHub Actions job, the file to append the job's summary to."""


def add_outputs(parser: argparse.ArgumentParser) -> None:
    """What to write and where, and the objective of error budgets."""
    parser.add_argument("--page", type=Path, metavar="FILE", help=f"where to write the page (default: {RUNS / PAGE})")
    parser.add_argument(
        "--json", dest="json_file", type=Path, metavar="FILE", help="write what moved as JSON; - is standard output"
    )
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="the same as Markdown, for a comment or a chat; - is standard output"
    )
    parser.add_argument("--junit", type=Path, metavar="FILE", help="the same as JUnit XML, for CI systems")
    parser.add_argument(
        "--objective",
        type=_share,
        default=OBJECTIVE,
        metavar="SHARE",
        help=f"share of the runs that should meet an SLO; the rest is its error budget (default: {OBJECTIVE})",
    )


def output_console(arguments: argparse.Namespace) -> Console:
    """Where to print: standard output, unless a file goes there. Raises `UsageError` if an output file cannot be written."""
    files = [file for file in (arguments.json_file, arguments.markdown, arguments.junit) if file is not None]
    if files.count(STDOUT) > 1:
        raise UsageError("Only one of --json, --markdown and --junit can go to standard output. Give the others a file.")
    for file in files:
        check_writable(file)
    if arguments.page is not None:
        check_page(arguments.page)
    return new_console(stderr=STDOUT in files)


def write_outputs(nightly: Nightly, arguments: argparse.Namespace, runs: Path, console: Console) -> None:
    """Write everything asked for, and print the night."""
    page = arguments.page or runs / PAGE
    write_nightly_page(nightly, page)
    print_nightly(nightly, page, console)
    if arguments.json_file is not None:
        put(encode(record_of(nightly)), arguments.json_file)
    if arguments.markdown is not None:
        put(markdown(nightly).encode(), arguments.markdown)
    if arguments.junit is not None:
        put(junit(nightly), arguments.junit)
    if summary := os.environ.get(_STEP_SUMMARY):
        with writing(Path(summary)), Path(summary).open("a", encoding="utf-8") as file:
            file.write(markdown(nightly))


def _share(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share above 0 and below 1, such as 95% or 0.95")
    return share
