"""Runs as one self-contained HTML page: it needs a browser, but no network and no server."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.model.errors import UsageError
from harness.model.history import History
from harness.model.verdict import EXIT_CODES
from results.record.result import Result
from results.record.store import load_run
from results.report import page_sections
from results.report.assets import render_template, write_page
from results.report.contradictions import Timeline, timeline
from results.report.cycle_drawing import CycleDrawing, cycle_drawing
from results.report.page_sections import Log, Room, Table
from results.report.partition_drawing import PartitionDrawing, partition_drawing
from results.report.phrasing import Mark
from results.report.side_by_side import Comparison, comparisons

if TYPE_CHECKING:
    from results.report.plots import Plot

REPORT: Final = "report.html"
"""The name of a single run's page, in the run's folder."""

_UNFOLDED: Final = 3
"""How many runs that did not end as expected are expanded when a page of several runs opens."""


@dataclass(frozen=True, kw_only=True)
class RunView:
    """One run on the page."""

    anchor: str
    drill: str
    title: str
    mark: Mark
    word: str
    sentence: str
    rerun: str
    figures: list[tuple[str, str]]
    checks: Table
    slos: Table
    errors: Table
    operations: list[Table]
    more: list[Table]
    """Further tables with titles; tables without rows are not shown."""
    faults: Table
    events: Table
    links: Table
    logs: list[Log]
    facts: list[tuple[str, str]]
    plot: str
    """A drawing's JSON, compressed, in base64."""
    plot_height: int
    sampled: str
    aria: str
    nodes: Table | None = None
    """How many calls each node answered, and how fast."""
    timelines: list[Timeline] = field(default_factory=list)
    cycles: list[CycleDrawing] = field(default_factory=list)
    """Cycles of transactions."""
    partitions: PartitionDrawing | None = None
    """Only for a partitioned store."""
    unfolded: bool = True
    """Whether it is expanded when a page of several runs opens."""
    lines: Sequence[tuple[str, str]] = ()
    """The names and colours of what the drawing shows; empty if it shows calls."""
    trained: Sequence[tuple[str, str]] = ()
    """The nodes that trained, each with its colour in the drawing."""
    p999: bool = False
    """Whether the drawing has a line for p99.9."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """Everything that the template lays out."""

    title: str
    subtitle: str
    overview: Table | None
    runs: list[RunView]
    comparisons: list[Comparison] = field(default_factory=list)


def write_report(runs: Sequence[Path], out: Path) -> None:
    """Write one page about the runs in these folders. Several runs get an overview, and the gravest come first.

    Raises `UsageError` if there is no run or a folder does not hold one, `HarnessError` if the page cannot be written.
    """
    if not runs:
        raise UsageError("There are no runs to report on. Make one with `harness drill NAME`.")
    write_page(render([(path, *load_run(path)) for path in runs]), out)


def write_run_report(run_dir: Path, result: Result, history: History, out: Path) -> None:
    """Write the page about a run that has just ended. Raises `HarnessError` if it cannot be written."""
    write_page(render([(run_dir, result, history)]), out)


def render(runs: Sequence[tuple[Path, Result, History]]) -> str:
    """The HTML of the page about runs, each with its folder (for the node logs), its result and its history."""
    gravity = list(EXIT_CODES)
    runs = sorted(runs, key=lambda run: (run[1].as_expected, gravity.index(run[1].verdict)))  # the gravest first
    room = Room.among(len(runs))
    anchors = [f"run-{number}" for number in range(1, len(runs) + 1)]
    results = [result for _, result, _ in runs]
    surprises = [anchor for anchor, result in zip(anchors, results, strict=True) if not result.as_expected]
    unfolded = anchors if len(runs) == 1 else surprises[:_UNFOLDED]
    views_of_runs = [_view(anchor, *run, room, anchor in unfolded) for anchor, run in zip(anchors, runs, strict=True)]
    expected = sum(result.as_expected for result in results)
    several = len(runs) > 1
    page = Page(
        title=f"{expected} of {len(runs)} drills ended as expected" if several else results[0].drill,
        subtitle=_subtitle(results),
        overview=page_sections.overview(results, anchors) if several else None,
        runs=views_of_runs,
        comparisons=comparisons(
            [(result, history, anchor) for (_, result, history), anchor in zip(runs, anchors, strict=True)]
        ),
    )
    return render_page(page)


def render_page(page: Page) -> str:
    """The HTML of a page."""
    from results.report.plot_style import TOKENS  # Bokeh takes a second to import, which only a page needs

    version, code = _bokeh()
    return render_template("page.html", page=page, tokens=TOKENS, bokeh=code, bokeh_version=version)


def _view(anchor: str, run_dir: Path, result: Result, history: History, room: Room, unfolded: bool) -> RunView:
    from results.report import step_plots
    from results.report.plots import plot_run

    mark, word, sentence = page_sections.headline(result)
    plot: Plot = plot_run(result, history, room.points)
    unsatisfied = [check for check in result.checks if check.ops and check.valid is not True]
    return RunView(
        anchor=anchor,
        drill=result.drill,
        title=result.title,
        mark=mark,
        word=word,
        sentence=sentence,
        rerun=result.rerun,
        figures=page_sections.figures(result),
        checks=page_sections.checks(result),
        slos=page_sections.slos(result),
        errors=page_sections.errors(result),
        operations=[page_sections.operations(check, history.ops, room.operations) for check in unsatisfied],
        timelines=[shown for check in unsatisfied if (shown := timeline(check, history.ops)) is not None],
        cycles=[drawn for check in unsatisfied if (drawn := cycle_drawing(check, history.ops)) is not None],
        partitions=partition_drawing(history),
        nodes=page_sections.nodes(history),
        unfolded=unfolded,
        more=[],
        faults=page_sections.faults(result),
        events=page_sections.events(history, room.rows),
        links=page_sections.links(history, room.rows),
        logs=page_sections.logs(run_dir, room.log_characters),
        facts=page_sections.facts(result),
        plot=compressed(plot.item.encode()),
        plot_height=plot.height,
        sampled=plot.sampled,
        trained=step_plots.lines(step_plots.trained_nodes(history.steps)),
        aria=f"Faults, latency and throughput of {result.drill} over time. {sentence}",
    )


def _subtitle(results: Sequence[Result]) -> str:
    first, machine = results[0], results[0].machine
    parts = [first.started_utc, f"{machine.cores} cores, {machine.memory_gib:g} GiB", first.commit and f"commit {first.commit}"]
    return " · ".join(part for part in parts if part)


def compressed(data: bytes) -> str:
    """Data as the page embeds it: gzip, in base64."""
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()


@cache
def _bokeh() -> tuple[str, str]:
    """Bokeh's version and its code for the browser."""
    import bokeh
    from bokeh.resources import Resources

    return str(bokeh.__version__), compressed("\n".join(Resources(mode="inline", components=["bokeh"]).js_raw).encode())
