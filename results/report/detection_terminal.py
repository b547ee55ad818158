"""A detection matrix on the terminal: each run as it ends, then the whole matrix."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from results.record.detection import Detection, Trial
from results.report.detection_phrasing import (
    interval,
    outcome,
    row_mark,
    share_of,
    simulated,
    surprises,
    trial_mark,
    verdict,
    who,
)
from results.report.terminal_text import STYLES, print_to_copy, symbol, text


def print_trial(trial: Trial, console: Console, *, place: str, left: str) -> None:
    """One line about a finished run: its position, such as "3/12", its outcome, and how long the remaining runs will take."""
    console.print(
        Text.assemble(
            (f"{place:>7} ", "dim"), symbol(trial_mark(trial)), " ", text(who(trial)), ": ",
            text(outcome(trial), STYLES[trial_mark(trial)]), (f"  {left}" if left else "", "dim"),
        ),
        soft_wrap=True,
    )  # fmt: skip


def print_detection(detection: Detection, console: Console, page: Path) -> None:
    """The matrix, then the runs to look into, each with the command that repeats it."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("")
    for name in ("drill", "bug", "check or SLO"):
        table.add_column(name, overflow="fold")
    for name in ("alarms", "95 %", "unknown"):
        table.add_column(name, justify="right", no_wrap=True)
    if with_simulation := any(row.simulated is not None for row in detection.rows):
        table.add_column("simulation", overflow="fold")
    drill = ""
    for row in detection.rows:
        table.add_row(
            symbol(row_mark(row)),
            text(row.drill if row.drill != drill else ""),
            text(row.bug, "") if row.bug else text("(correct system)", "dim"),
            text(row.caught_by or "any", "" if row.caught_by else "dim"),
            share_of(row),
            interval(row),
            str(row.unknown or ""),
            *([simulated(row)] if with_simulation else []),
        )
        drill = row.drill
    console.print()
    console.print(table)
    wrong, unknown = surprises(detection)
    console.print()
    for trial in unknown:
        why = trial.why.partition("; ")[0]
        said = text(f"{who(trial)}: {outcome(trial)}: {why}")
        console.print(Text.assemble(symbol("open"), " ", said), soft_wrap=True)
    for trial in wrong:
        console.print()
        console.print(Text.assemble(symbol("bad"), f" {outcome(trial)}: ", text(who(trial)), ". ", text(trial.why)))
        if trial.run_dir:
            print_to_copy("Run", trial.run_dir, console)
        print_to_copy("Again", trial.rerun, console)
    console.print()
    console.print(text(verdict(detection), "bold"))
    print_to_copy("Report", str(page), console)
    if detection.runs_left or any(row.unknown for row in detection.rows):
        print_to_copy("Go on", detection.again, console)
