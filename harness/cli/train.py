"""Inject faults into your own torch.distributed script while it trains, and measure how it recovers."""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console

from harness.cli.run_options import add_fault_plane
from harness.cli.running import console_for
from harness.cli.written import check_writable, put
from harness.cluster.interrupts import run_to_its_end
from harness.cluster.network_namespaces import missing as missing_for_namespaces
from harness.model.errors import UsageError, broke_off
from harness.model.fault_window import FaultWindow
from harness.model.slo import SLO
from harness.model.verdict import EXIT_CODES
from harness.run.fault_text import parse
from harness.run.first_error import first_of
from harness.run.script_judging import conclude
from harness.run.script_run import ScriptRun
from harness.run.script_spec import LIMIT_S, STALL_S, START_S, ScriptRecord, ScriptSpec
from harness.run.script_start import check_command, check_within_reach
from harness.run.spec import SEED_BITS
from results.record.store import new_run_dir
from results.record.train_result import SCRIPT_LOG, TRAIN_RESULT, encode
from results.report.page import REPORT
from results.report.train_page import write_train_report
from results.report.train_terminal import print_train

_RUNS: Final = "train"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The faults, and the command after `--`."""
    parser.usage = "harness train [--fault 'Kill(\"rank1\").at_step(120)'] [--slo 'goodput >= 90%%'] -- torchrun … train.py …"
    parser.add_argument(
        "--fault", dest="faults", action="append", default=[], metavar="FAULT",
        help="as in a drill: 'Kill(\"rank1\").at_step(120)', 'Latency(\"rank0>rank1\", delay_ms=50).between(5, 10)'",
    )  # fmt: skip
    parser.add_argument("--slo", dest="slos", action="append", default=[], metavar="SLO", help="such as 'goodput >= 90%%'")
    parser.add_argument("--seed", type=int, metavar="N", help="repeat a run: the seed determines drawn times and targets")
    parser.add_argument(
        "--start-timeout", type=_seconds, default=START_S, metavar="S", help="seconds until the first step (default: 120)"
    )
    parser.add_argument(
        "--stall",
        type=_seconds,
        default=STALL_S,
        metavar="S",
        help="stop after this many seconds without a step (default: 120)",
    )
    parser.add_argument(
        "--limit", type=_seconds, default=LIMIT_S, metavar="S", help="stop after this many seconds in any case (default: 3600)"
    )
    add_fault_plane(parser)
    parser.add_argument(
        "--namespaces", action="store_true",
        help="put each rank into a network namespace; faults act on its packets, whatever the backend (needs root)",
    )  # fmt: skip
    parser.add_argument(
        "--json", dest="json_file", type=Path, metavar="FILE", help="write the result as JSON; - is standard output"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where runs are kept (default: runs)")
    parser.add_argument("command_line", nargs="*", metavar="-- COMMAND", help="the command that starts the training")


def execute(arguments: argparse.Namespace) -> int:
    """Run the script under faults; the exit code is the verdict's."""
    if not arguments.command_line:
        raise UsageError("harness train needs a command after --, such as: harness train -- torchrun train.py")
    for text in arguments.slos:
        SLO.parse_training(text)
    spec = ScriptSpec(
        command=tuple(arguments.command_line),
        faults=tuple(map(parse, arguments.faults)),
        fault_texts=tuple(arguments.faults),
        slos=tuple(arguments.slos),
        seed=secrets.randbits(SEED_BITS) if arguments.seed is None else arguments.seed,
        plane=arguments.fault_plane,
        namespaces=arguments.namespaces,
        start_s=arguments.start_timeout,
        stall_s=arguments.stall,
        limit_s=arguments.limit,
    )
    check_command(spec.command)
    check_within_reach(spec.faults, namespaces=spec.namespaces)
    if spec.namespaces and (lacks := missing_for_namespaces()):
        raise UsageError(lacks)
    if arguments.json_file is not None:
        check_writable(arguments.json_file)
    started, begun_s, console = datetime.now(UTC), time.monotonic(), console_for(arguments)
    run_dir = new_run_dir(arguments.runs, _RUNS, spec.seed, started).absolute()
    record = _record(spec, run_dir, console)
    result = conclude(spec, record, started, time.monotonic() - begun_s)
    page = run_dir / REPORT
    print_train(result, console, page)  # first: a training takes long, and its verdict is not lost with a full disk
    for file in filter(None, (run_dir / TRAIN_RESULT, arguments.json_file)):
        put(encode(result), file)
    write_train_report(result, record.processes, run_dir / SCRIPT_LOG, page)
    return EXIT_CODES[result.verdict]


class _Watcher:
    """Prints windows as they begin and end, if the console is a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def on_window(self, record: FaultWindow) -> None:
        if self._console.is_terminal:
            what = "begins" if record.healed_s is None else "ends"
            hit = " ".join(record.targets)
            text = f"{record.label} {record.text} on {hit} {what}"
            self._console.print(text, style="magenta", highlight=False, markup=False)


def _record(spec: ScriptSpec, run_dir: Path, console: Console) -> ScriptRecord:
    if console.is_terminal:
        print(f"output of the script: {run_dir / 'script.log'}", file=sys.stderr)
    try:
        return run_to_its_end(ScriptRun(spec, run_dir, _Watcher(console)).record())
    except BaseExceptionGroup as group:
        raise first_of(group) from group
    except OSError as error:
        raise broke_off(str(run_dir), error) from error


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return seconds
