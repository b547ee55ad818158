"""The command line. What it prints and how it exits is stable: people script against it."""

from __future__ import annotations

import argparse
import contextlib
import math
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from harness import roots
from harness.cli import load_options, ui_options
from harness.model.errors import HarnessError, UsageError

EXIT_CODES = """\
exit codes:
  0 all held   1 a checker found wrong behaviour   2 usage   3 an SLO missed or a regression
  4 unknown (inconclusive)   70 the harness broke   130 interrupted
"""


def main() -> NoReturn:
    """The `harness` command."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a mark that a terminal cannot show is no error
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Carry out one command line; returns its exit code. Errors are one line on standard error."""
    parsed = parser().parse_args(arguments)
    roots.add(Path.cwd())
    try:
        # Imported late, so that `harness --help` does not wait for pandas.
        from harness.cli import commands

        return int(getattr(commands, f"{parsed.command}_command")(parsed))
    except HarnessError as error:
        mark = "? unknown" if error.exit_code == 4 else "error"
        print(f"{mark}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it has been heard
        print("interrupted: everything that was started has been ended", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        return _unread()
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # what rich makes of it
            return _unread()
        raise
    except Exception:
        traceback.print_exc()
        print("error: the harness broke; this is a bug in it, or in a module of yours that stands above", file=sys.stderr)
        return HarnessError.exit_code


def _unread() -> int:
    """Nobody knows the verdict, so this is none of its codes: that of a program which SIGPIPE ended."""
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.close()
    return 128 + signal.SIGPIPE


class _Parser(argparse.ArgumentParser):
    """Errors in one line, as everywhere else."""

    def error(self, message: str) -> NoReturn:
        print(f"error: {message}. See `{self.prog} --help`.", file=sys.stderr)
        sys.exit(UsageError.exit_code)


def parser() -> argparse.ArgumentParser:
    """Every command and its options."""
    harness = _Parser(
        prog="harness",
        description="Drills for distributed ML systems: start one, put load on it, break it, and judge what it did.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = harness.add_subparsers(dest="command", required=True, metavar="COMMAND")

    commands.add_parser("list", help="drills, systems, faults, workloads, checkers")

    suite = commands.add_parser("run", help="run a suite of drills and write its report; the default suite where none is named")
    suite.add_argument("suite", nargs="?", metavar="SUITE", help="a folder of drills, such as quorum")
    suite.set_defaults(schedule=None)
    _add_run_options(suite)

    drill = commands.add_parser("drill", help="run drills by name")
    drill.add_argument("names", nargs="+", metavar="NAME", help="a drill's name, such as quorum/isolated, or its file")
    drill.add_argument(
        "--set", dest="settings", action="append", default=[], metavar="FIELD=VALUE", help="change the drill: load.rate=1000"
    )
    drill.add_argument(
        "--schedule", type=Path, metavar="FILE", help="faults, times and targets from a schedule.json, or a run's folder"
    )
    _add_run_options(drill)

    load_options.add_options(commands.add_parser("load", help="open-loop load on any HTTP server, judged by SLOs"))

    ui_options.add_options(commands.add_parser("ui", help="locust's web UI over a drill's running system, with a Faults tab"))

    check = commands.add_parser("check", help="judge a recorded history: a run's folder, .parquet, .csv or .jsonl")
    check.add_argument("history", metavar="HISTORY", type=Path)
    check.add_argument("--checker", dest="checkers", action="append", metavar="NAME", help="all that apply where none is named")

    report = commands.add_parser(
        "report", help="one self-contained HTML page of one or more runs; the newest where none is named"
    )
    report.add_argument("runs", nargs="*", metavar="RUN", type=Path)
    report.add_argument("--out", type=Path, default=Path("report.html"), metavar="FILE")

    shrink = commands.add_parser("shrink", help="reduce a failing run's faults to the least that still fails in the same way")
    shrink.add_argument("run", metavar="RUN", type=Path, help="the folder of a run that failed")
    shrink.add_argument(
        "--repeats",
        type=_at_least_one,
        default=3,
        metavar="N",
        help="runs to see a schedule fail, for what fails now and then (3)",
    )
    shrink.add_argument("--minutes", type=_minutes, default=15.0, metavar="M", help="when to stop; Ctrl-C stops as well (15)")

    commands.add_parser("heal", help="put right by hand what runs left behind: processes, and proxies at TOXIPROXY_URL")

    toxiproxy = commands.add_parser("toxiproxy", help="the fault plane by itself")
    actions = toxiproxy.add_subparsers(dest="action", required=True, metavar="ACTION")
    serve = actions.add_parser("serve", help="the embedded server, until it is interrupted")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8474)
    serve.add_argument("--seed", type=int, default=0)
    actions.add_parser("install", help="build the real Toxiproxy with `go install`")
    return harness


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of minutes above 0")
    return minutes


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seed", type=int, metavar="N", help="repeat a run: calls, arrivals, fault times and targets follow from it"
    )
    parser.add_argument(
        "--fault-plane", choices=("embedded", "toxiproxy"), default="embedded",
        help="toxiproxy: at TOXIPROXY_URL, on PATH, or installed by `harness toxiproxy install`",
    )  # fmt: skip
    parser.add_argument("--json", dest="json_file", type=Path, metavar="FILE", help="write the result there")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where runs are kept (default: runs)")


if __name__ == "__main__":
    main()
