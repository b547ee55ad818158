"""The result of a run of a training script on the terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from results.record.train_result import TrainResult
from results.report.phrasing import mark_of, milliseconds
from results.report.terminal_text import STYLES, SYMBOLS, print_to_copy, symbol, text
from results.report.train_phrasing import WORDS, figures, phase_cells, phase_names


def print_train(result: TrainResult, console: Console, report: Path) -> None:
    """The verdict, the figures, each fault and how the training recovered from it, checks that did not hold, and each SLO."""
    mark, word = WORDS[result.verdict]
    headline = Text.assemble((f"{SYMBOLS[mark]} {word}.", STYLES[mark]), " ", text(result.why), ".")
    console.print(headline, soft_wrap=True)
    metrics = result.metrics
    console.print(
        f"{result.ranks} ranks, {', '.join(f'{name} {value}' for name, value in figures(result))}, clean step"
        f" {milliseconds(metrics.clean_step_ms)} (median of {metrics.clean_steps})",
        highlight=False, markup=False, soft_wrap=True,
    )  # fmt: skip
    for fault in result.faults:
        when = f"{fault.injected_s:.2f} s" if fault.injected_s is not None else "never"
        what = f" {fault.label} {fault.text} on {' '.join(fault.targets) or fault.selector}, {when}: "
        console.print(Text.assemble(symbol(mark_of(fault.acted)), what, text(fault.evidence, "dim")), soft_wrap=True)
    if result.phases:
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        for name in phase_names():
            table.add_column(name, justify="left" if name == "fault" else "right", no_wrap=True)
        for one in result.phases:
            table.add_row(*phase_cells(one))
        console.print(table)
    for check in result.checks:
        if check.valid is not True:
            console.print(
                Text.assemble(symbol(mark_of(check.valid)), f" {check.name}  ", text(check.why, "dim")), soft_wrap=True
            )
    for slo in result.slos:
        console.print(Text.assemble(symbol(mark_of(slo.ok)), f" {slo.text}  ", text(slo.why, "dim")), soft_wrap=True)
    print_to_copy("Report", str(report), console)
    print_to_copy("Again", result.rerun, console)
