"""A load on any HTTP server as one HTML page that needs nothing else, laid out as a drill's."""

from __future__ import annotations

from pathlib import Path

from results.analysis.histogram import Histogram
from results.analysis.load_judge import percentile_ms
from results.record.load_result import LoadResult
from results.report import page_sections
from results.report.assets import write_page
from results.report.page import Page, RunView, compressed, render_page
from results.report.page_sections import Column, Row, Table, of_calls
from results.report.phrasing import Mark, mark_of, milliseconds, share

_WORDS: dict[str, tuple[Mark, str]] = {
    "pass": ("good", "Pass"),
    "fail": ("bad", "Fail"),
    "slo": ("bad", "SLO missed"),
    "unknown": ("open", "Unknown"),
}
_NOTHING = Table(columns=(), rows=())


def write_load_report(result: LoadResult, out: Path) -> None:
    """Write the page of a load. Raises `HarnessError` if it cannot be written."""
    machine = result.machine
    subtitle = f"{result.started_utc} · {machine.cores} cores, {machine.memory_gib:g} GiB"
    page = Page(title=f"load on {result.url}", subtitle=subtitle, overview=None, runs=[_view(result)])
    write_page(render_page(page), out)


def _view(result: LoadResult) -> RunView:
    from results.report.load_plots import plot_load  # Bokeh takes a second to import

    mark, word = _WORDS[result.verdict]
    plot = plot_load(result)
    slos = (Row(mark=mark_of(slo.ok), cells=(slo.text, slo.why)) for slo in result.slos)
    return RunView(
        anchor="load",
        drill=result.url,
        title=f"{result.asked_per_s:,.0f} calls a second asked, {result.connections} connections, depth {result.depth}",
        mark=mark,
        word=word,
        sentence=f"{result.why[:1].upper()}{result.why[1:]}.",
        rerun=result.rerun,
        figures=[*of_calls(result.metrics), ("generator busy", f"{result.busy_share:.0%}")],
        checks=_NOTHING,
        slos=Table(columns=(Column(name="objective", tight=True, code=True), Column(name="found")), rows=tuple(slos)),
        errors=page_sections.failures(result.failures),
        operations=[],
        more=[_latencies(result), _steps(result)],
        faults=_NOTHING,
        events=_NOTHING,
        links=_NOTHING,
        logs=[],
        facts=_facts(result),
        plot=compressed(plot.item.encode()),
        plot_height=plot.height,
        sampled=plot.sampled,
        aria=f"Latency and rate of the load over time. {result.why}",
        p999=True,
    )


def _latencies(result: LoadResult) -> Table:
    percentiles = (50, 90, 99, 99.9, 99.99)
    columns = (Column(name="latency", tight=True), *(Column(name=f"p{one:g}", number=True) for one in percentiles))
    rows = []
    for name, encoded in (("from due", result.latency_histogram), ("from send", result.service_histogram)):
        histogram = Histogram.decode(encoded)
        found = [percentile_ms(histogram, percentile) for percentile in percentiles]
        rows.append(Row(cells=(name, *("too few" if value is None else milliseconds(value) for value in found))))
    return Table(title="Latency", columns=columns, rows=tuple(rows) if result.metrics.rate_per_s else ())


def _steps(result: LoadResult) -> Table:
    names = ("asked", "done", "p50", "p99", "p99 from send", "available", "generator busy")
    columns = (*(Column(name=name, number=True) for name in names), Column(name="outcome"))
    rows = []
    for step in result.steps:
        latencies = (milliseconds(value) for value in (step.p50_ms, step.p99_ms, step.service_p99_ms))
        rates = (f"{step.rate_per_s:,.0f}/s", f"{step.done_per_s:,.0f}/s")
        outcome = step.outcome if step.outcome == "held" else f"{step.outcome}: {step.why}"
        cells = (*rates, *latencies, share(step.availability), f"{step.busy_share:.0%}", outcome)
        rows.append(Row(mark="good" if step.outcome == "held" else "open", cells=cells))
    return Table(title="Rates that were tried", columns=columns, rows=tuple(rows))


def _facts(result: LoadResult) -> list[tuple[str, str]]:
    machine = result.machine
    return [
        ("started", result.started_utc),
        ("took", f"{result.seconds:.1f} s"),
        ("seed", str(result.seed)),
        ("arrivals", result.arrivals),
        ("processes", f"{result.processes}, {result.cpu_s:.3g} s of CPU"),
        ("machine", f"{machine.cpu}, {machine.cores} cores, {machine.memory_gib:g} GiB"),
        ("kernel", machine.kernel),
        ("Python", machine.python),
        ("commit", result.commit or "not a repository"),
        ("packages", ", ".join(f"{name} {version}" for name, version in sorted(result.versions.items()))),
    ]
