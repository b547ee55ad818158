"""The result of a load on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.model.verdict import RunVerdict
from results.analysis.failures import FailureGroup
from results.analysis.histogram import Histogram
from results.analysis.load_judge import percentile_ms
from results.record.load_result import LoadResult, LoadStep
from results.report.phrasing import Mark, mark_of, milliseconds, share
from results.report.terminal_text import STYLES, SYMBOLS, print_table, print_to_copy, symbol, text

_WORDS: Final[dict[RunVerdict, tuple[str, Mark]]] = {
    "pass": ("Pass", "good"),
    "fail": ("Fail", "bad"),
    "slo": ("SLO missed", "bad"),
    "unknown": ("Unknown", "open"),
}
_PERCENTILES = (50, 90, 99, 99.9, 99.99)
_GAP: Final = 2


def print_load(result: LoadResult, console: Console, report: Path) -> None:
    """The verdict, the calls, their latency from when they were due and from when they were sent, failures, each SLO."""
    word, mark = _WORDS[result.verdict]
    headline = Text.assemble((f"{SYMBOLS[mark]} {word}.", STYLES[mark]), " ", text(result.why), ".")
    console.print(headline, soft_wrap=True)
    metrics = result.metrics
    console.print(
        f"{metrics.requests:,} calls in {_plain(result.seconds)} s, {_plain(metrics.rate_per_s)}/s done of"
        f" {_plain(result.asked_per_s)}/s asked, availability {share(metrics.availability)}\n"
        f"{result.connections} connections, depth {result.depth}, {result.arrivals} arrivals,"
        f" {result.processes} process{'es' if result.processes > 1 else ''}"
        f" busy {result.busy_share:.0%} of the time, seed {result.seed}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    if metrics.rate_per_s:
        _print_latencies(result, console)
    for group in result.failures:
        console.print(text(_failure(group), "dim"), soft_wrap=True)
    for slo in result.slos:
        console.print(Text.assemble(symbol(mark_of(slo.ok)), f" {slo.text}  ", text(slo.why, "dim")), soft_wrap=True)
    print_to_copy("Report", str(report), console)
    print_to_copy("Again", result.rerun, console)


def step_line(step: LoadStep) -> str:
    """One try of `--find-max` with its figures."""
    figures = f"done {step.done_per_s:,.0f}/s, p50 {milliseconds(step.p50_ms)}, p99 {milliseconds(step.p99_ms)}"
    figures += f" ({milliseconds(step.service_p99_ms)} from send), availability {share(step.availability)}"
    return f"{step.rate_per_s:12,.0f}/s  {step.outcome:<9}  {figures}, generator busy {step.busy_share:.0%}"


def _failure(group: FailureGroup) -> str:
    example = f"; for example: {group.example}" if group.example else ""
    return f"{group.calls:,} {group.outcome}: {group.reason}{example}"


def _print_latencies(result: LoadResult, console: Console) -> None:
    """A row for each of the two latencies, or a column if the terminal is too narrow."""
    rows = [["latency", *(f"p{percentile:g}" for percentile in _PERCENTILES), "max"]]
    for name, encoded in (("from due", result.latency_histogram), ("from send", result.service_histogram)):
        histogram = Histogram.decode(encoded)
        most = histogram.max_ns
        cells = [_cell(histogram, percentile) for percentile in _PERCENTILES]
        rows.append([name, *cells, milliseconds(None if most is None else most / 1e6)])
    width = sum(max(map(len, column)) + _GAP for column in zip(*rows, strict=True))
    if width > console.width:
        rows = [list(column) for column in zip(*rows, strict=True)]
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, _GAP, 0, 0))
    for number, name in enumerate(rows[0]):
        table.add_column(name, justify="right" if number else "left", no_wrap=True)
    for row in rows[1:]:
        table.add_row(*row)
    print_table(table, console)


def _cell(histogram: Histogram, percentile: float) -> str:
    value = percentile_ms(histogram, percentile)
    return "too few" if value is None else milliseconds(value)


def _plain(number: float) -> str:
    """Three digits or more, and no power of ten: "0.5", "12.3", "3,600"."""
    return f"{number:,.0f}" if number >= 99.5 else f"{number:.3g}"
