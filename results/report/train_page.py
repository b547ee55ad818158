"""A run of a training script as one HTML page that needs nothing else, laid out as a drill's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.model.rank_process import RankProcess
from results.record.train_result import TrainResult
from results.report import page_sections
from results.report.assets import write_page
from results.report.page import Page, RunView, compressed, render_page
from results.report.page_sections import Column, Row, Table
from results.report.train_phrasing import WORDS, colour_of, figures, phase_cells, phase_names

_NOTHING = Table(columns=(), rows=())
_LOG_CHARACTERS = 20_000
_NAMED = 4
"""How many ranks have colours of their own."""


def write_train_report(result: TrainResult, processes: Sequence[RankProcess], log: Path, out: Path) -> None:
    """Write the page of a run. Raises `HarnessError` if it cannot be written."""
    machine = result.machine
    subtitle = f"{result.started_utc} · {machine.cores} cores, {machine.memory_gib:g} GiB"
    page = Page(title=result.command, subtitle=subtitle, overview=None, runs=[_view(result, processes, log)])
    write_page(render_page(page), out)


def _view(result: TrainResult, processes: Sequence[RankProcess], log: Path) -> RunView:
    from results.report.train_plots import plot_training  # Bokeh takes a second to import

    mark, word = WORDS[result.verdict]
    plot = plot_training(result, processes)
    phases = (Row(cells=phase_cells(one)) for one in result.phases)
    links = (
        Row(
            cells=(
                one.link,
                "" if one.connections is None else f"{one.connections:,}",
                f"{one.received_bytes:,}",
                f"{one.sent_bytes:,}",
            )
        )
        for one in result.links
    )
    return RunView(
        anchor="training",
        drill=result.command,
        title=f"{result.ranks} ranks, {result.metrics.steps:,} steps that stand",
        mark=mark,
        word=word,
        sentence=f"{result.why[:1].upper()}{result.why[1:]}.",
        rerun=result.rerun,
        figures=figures(result),
        checks=page_sections.checks(result),
        slos=page_sections.slos(result),
        errors=_NOTHING,
        operations=[],
        more=[
            Table(
                title="How it recovered from each fault",
                columns=tuple(Column(name=name, number=name != "fault") for name in phase_names()),
                rows=tuple(phases),
                note="Seconds since the fault began.",
            )
        ],
        faults=page_sections.faults(result),
        events=_NOTHING,
        links=Table(
            columns=tuple(Column(name=name, number=name != "link") for name in ("link", "connections", "received", "sent")),
            rows=tuple(links),
        ),
        logs=page_sections.log_ends([log] if log.is_file() else [], _LOG_CHARACTERS),
        facts=page_sections.facts(result),
        plot=compressed(plot.item.encode()),
        plot_height=plot.height,
        sampled=plot.sampled,
        lines=[(f"rank{rank}", colour_of(rank)) for rank in range(min(result.ranks, _NAMED))],
        aria=f"Faults, steps and their times of {result.command}. {result.why}",
    )
