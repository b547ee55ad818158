"""The result of a load on the terminal."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.model.verdict import RunVerdict
from results.analysis.histogram import Histogram
from results.record.load_result import LoadResult, percentile_ms
from results.report.phrasing import Mark, mark_of, milliseconds, share
from results.report.terminal_text import STYLES, SYMBOLS, symbol, text

_WORDS: Final[dict[RunVerdict, tuple[str, Mark]]] = {
    "pass": ("Pass", "good"),
    "fail": ("Fail", "bad"),
    "slo": ("SLO missed", "bad"),
    "unknown": ("Unknown", "open"),
}
_PERCENTILES = (50, 90, 99, 99.9, 99.99)


def print_load(result: LoadResult, console: Console) -> None:
    """The verdict, what was sent, latency from when calls were due and from when they were sent, each SLO."""
    word, mark = _WORDS[result.verdict]
    console.print(Text.assemble((f"{SYMBOLS[mark]} {word}.", STYLES[mark]), " ", text(result.why), "."))
    metrics = result.metrics
    console.print(
        f"{metrics.requests:,} calls in {result.seconds:.3g} s, {metrics.rate_per_s:,.0f}/s done of {result.asked_per_s:,.0f}/s"
        f" asked, availability {share(metrics.availability)}\n{result.connections} connections, depth {result.depth},"
        f" {result.arrivals} arrivals, {result.processes} process{'es' if result.processes > 1 else ''},"
        f" {result.cpu_s:.3g} s of CPU, seed {result.seed}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("latency", *(f"p{percentile:g}" for percentile in _PERCENTILES), "max"):
        table.add_column(name, justify="left" if name == "latency" else "right", no_wrap=True)
    for name, encoded in (("from due", result.latency_histogram), ("from send", result.service_histogram)):
        histogram = Histogram.decode(encoded)
        most = histogram.max_ns
        cells = [_cell(histogram, percentile) for percentile in _PERCENTILES]
        table.add_row(name, *cells, milliseconds(None if most is None else most / 1e6))
    console.print(table)
    if result.failed or result.wrong or result.unknown:
        console.print(f"{result.failed:,} failed, {result.wrong:,} wrong, {result.unknown:,} unknown", highlight=False)
    for error, times in result.errors.items():
        console.print(text(f"  {times:,} × {error}", "dim"))
    for slo in result.slos:
        console.print(Text.assemble(symbol(mark_of(slo.ok)), f" {slo.text}  ", (slo.why, "dim")))


def _cell(histogram: Histogram, percentile: float) -> str:
    value = percentile_ms(histogram, percentile)
    return "too few" if value is None else milliseconds(value)
