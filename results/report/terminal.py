"""A result on the terminal. Paths and commands, which users copy, are never wrapped or cut."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pandas as pd
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from harness.model.fault_window import FaultWindow
from harness.model.history import History
from harness.model.reasons import Reason
from results.analysis.judge import SLOResult
from results.record.result import CheckResult, Result
from results.record.store import load_frames
from results.report.phrasing import (
    Mark,
    count,
    mark_of,
    milliseconds,
    operation,
    recovery,
    run_mark,
    sentence,
    share,
    verdict_word,
)
from results.report.terminal_text import STYLES, SYMBOLS, print_table, print_to_copy, symbol, text

_OPS_SHOWN: Final = 5
_ERRORS_SHOWN: Final = 5
_UNLIMITED: Final = 10_000


def print_result(result: Result, console: Console, run_dir: Path, report: Path | None = None, place: str = "") -> None:
    """One run: the verdict, the faults and their evidence, every check and SLO, and how to repeat it.

    The operations that show why a check failed are read from `run_dir`. `place` is the run's position in a series, such as
    "3/22".
    """
    console.print()
    console.print(_headline(result, place))
    _print_faults(result.faults, console)
    failing = any(check.ops for check in result.checks if check.valid is not True)
    _print_checks(result.checks, load_frames(run_dir).ops if failing else None, console)
    _print_slos(result.slos, console)
    _print_errors(result.errors, console)
    console.print()
    print_to_copy("Report", str(report or run_dir), console)
    if result.rerun:
        print_to_copy("Again", result.rerun, console)


def print_headline(result: Result, console: Console, place: str = "") -> None:
    """One run on one line: the verdict and the key figures."""
    console.print(_headline(result, place))


def summary(result: Result, run_dir: Path, report: Path | None = None) -> str:
    """What `print_result` prints, as plain text."""
    text = io.StringIO()
    print_result(result, Console(file=text, width=100, no_color=True), run_dir, report)
    return text.getvalue().strip("\n")


def print_checks(checks: Sequence[CheckResult], history: History, console: Console, slos: Sequence[SLOResult] = ()) -> None:
    """The results of checks of a history, with the operations that show why, and of SLOs."""
    _print_checks(checks, history.ops, console)
    _print_slos(slos, console)


def print_suite(results: Sequence[Result], console: Console, report: Path | None = None, *, asked: int | None = None) -> None:
    """A table of runs, then each run that did not end as expected, with the command that repeats it.

    `asked` is how many drills were asked for, if some of them have no result.
    """
    console.print()
    print_table(_suite_table(results, console), console)
    surprises = [result for result in results if not result.as_expected]
    for result in surprises:
        console.print()
        console.print(_headline(result))
        print_to_copy("Again", result.rerun, console)
    console.print()
    expected = len(results) - len(surprises)
    left = "" if asked is None or asked == len(results) else f" {asked - len(results)} of {asked} have no result."
    console.print(Text(f"{expected} of {len(results)} drills ended as expected.{left}", style="bold"))
    if report is not None:
        print_to_copy("Report", str(report), console)


def _suite_table(results: Sequence[Result], console: Console) -> Table:
    """A row for each run; on a narrow console, less important figures are left out rather than cut."""
    figures = {
        "calls": [f"{result.metrics.requests:,}" for result in results],
        "p99": [milliseconds(result.metrics.p99_ms) for result in results],
        "available": [share(result.metrics.availability) for result in results],
        "recovery": [recovery(result.metrics) for result in results],
    }
    for left_out in ("", "calls", "recovery", "available"):
        figures.pop(left_out, None)
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        table.add_column("")
        table.add_column("drill", overflow="fold")
        table.add_column("verdict", no_wrap=True)
        for name in figures:
            table.add_column(name, justify="right", no_wrap=True)
        for result, *cells in zip(results, *figures.values(), strict=True):
            mark = run_mark(result)
            word = Text(verdict_word(result).lower(), style=STYLES[mark])
            table.add_row(symbol(mark), text(result.drill), word, *cells)
        if Measurement.get(console, console.options.update_width(_UNLIMITED), table).maximum <= console.width:
            break
    return table


def _headline(result: Result, place: str = "") -> Text:
    mark = run_mark(result)
    word = f"{SYMBOLS[mark]} {verdict_word(result)}."
    return Text.assemble((f"{place}  " if place else "", "dim"), (word, STYLES[mark]), " ", text(sentence(result)))


def _print_faults(faults: Sequence[FaultWindow], console: Console) -> None:
    rows = []
    for fault in faults:
        targets = " ".join(fault.targets) or fault.selector
        chosen = f" ({fault.selector})" if fault.selector != targets else ""
        when = f"{fault.from_s:g}–{fault.to_s:g} s"
        rows.append((mark_of(fault.acted), f"{when}  {fault.text} {targets}{chosen}", fault.evidence))
    if rows:
        _print_section("Faults", rows, console)


def _print_checks(checks: Sequence[CheckResult], ops: pd.DataFrame | None, console: Console) -> None:
    _print_section("Checks", [(mark_of(check.valid), check.name, check.why) for check in checks], console)
    for check in checks:
        if check.ops and check.valid is not True and ops is not None:
            _print_ops(check, ops, console)


def _print_slos(slos: Sequence[SLOResult], console: Console) -> None:
    if slos:
        _print_section("SLOs", [(mark_of(slo.ok), slo.text, slo.why) for slo in slos], console)


def _print_section(title: str, rows: Sequence[tuple[Mark, str, str]], console: Console) -> None:
    """A title, and a line for each result: its mark, its name, what was observed."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", max_width=max(console.width // 2, 10))
    table.add_column(overflow="fold")
    for mark, name, seen in rows:
        table.add_row(symbol(mark), text(name), text(seen, "dim"))
    console.print()
    console.print(Text(title, style="bold"))
    print_table(table, console)


def _print_errors(errors: Sequence[Reason], console: Console) -> None:
    if not errors:
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for reason in errors[:_ERRORS_SHOWN]:
        table.add_row(f"{reason.calls:,}", reason.outcome, text(reason.error, "dim"))
    console.print()
    console.print(Text("Calls that were not done", style="bold"))
    print_table(table, console)
    if (left := len(errors) - _ERRORS_SHOWN) > 0:
        console.print(Text(f"{count(left, 'more reason')} {'is' if left == 1 else 'are'} in the report.", style="dim"))


def _print_ops(check: CheckResult, ops: pd.DataFrame, console: Console) -> None:
    chosen = ops.loc[[op for op in check.ops if op in ops.index][:_OPS_SHOWN]]
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("operation", "due", "took"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("what", "outcome", "node"):
        table.add_column(name, overflow="fold")
    for number, op in chosen.iterrows():
        table.add_row(
            str(number),
            f"{op['due_ns'] / 1e9:.3f} s",
            milliseconds((op["done_ns"] - op["due_ns"]) / 1e6),
            text(operation(op["kind"], op["key"], op["value"], op["expected"])),
            text(str(op["outcome"])),
            text(str(op["node"])),
        )
    console.print()
    shown = f"the first {len(chosen)} of {len(check.ops):,}" if len(check.ops) > len(chosen) else f"{len(chosen)}"
    console.print(Text(f"Operations that show why {check.name} is not satisfied: {shown}", style="bold"))
    print_table(table, console)
