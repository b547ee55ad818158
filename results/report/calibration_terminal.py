"""What `harness nightly --calibrate` measured, on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from rich.console import Console
from rich.table import Table

from results.report.nightly_phrasing import amount, place_of, smallest
from results.report.nightly_trust import aa_sentence
from results.report.terminal_text import print_table, text
from results.trends.aa_nights import AANights
from results.trends.findings import Judged
from results.trends.remarks import FEWEST


def print_calibration(aa: AANights | None, console: Console) -> None:
    """Each figure with its level and the smallest change that would be found, then how often there was a false alarm."""
    console.print()
    if aa is None:
        told = f"? unknown: too few of the nights count: {FEWEST} are needed. Is the machine busy?"
        console.print(text(told, style="yellow"), soft_wrap=True)
        return
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in ("drill", "figure", "nights", "level", "found in five nights", "in one night"):
        table.add_column(column)
    for judged in _in_order(aa.judged):
        series = judged.series
        level = median(value for point in series.points for value in point.values)
        table.add_row(
            text(series.drill), series.metric.name, str(len(series.points)), amount(series.metric, level),
            smallest(series.metric, judged.smallest), smallest(series.metric, judged.smallest_at_once),
        )  # fmt: skip
    print_table(table, console)
    console.print()
    console.print(text(aa_sentence(aa)), soft_wrap=True)


def _in_order(judged: Sequence[Judged]) -> list[Judged]:
    return sorted(judged, key=lambda one: (one.series.drill, place_of(one.series.metric.name)))
