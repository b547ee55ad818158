"""The morning's page about all nights: one HTML file that needs nothing else."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final
from urllib.parse import quote

from results.report.assets import render_template, write_page
from results.report.nightly_data import RECENT_NIGHTS, SeriesKey, Source, data_of, packed
from results.report.nightly_drills import BudgetView, DrillView, budget_view, drill_views, key_of
from results.report.nightly_items import Item, Link, RunPages, items
from results.report.nightly_phrasing import flaky_words, nightly_mark, short, summary, title
from results.report.nightly_trust import trust
from results.report.page import REPORT
from results.report.phrasing import Mark, count
from results.trends.findings import Finding, Judged
from results.trends.nightly import Nightly
from results.trends.nights import Night, changed_facts
from results.trends.series import Series
from results.trends.slo_budget import ALERTS

_UNFOLDED: Final = 3
"""The most drills that are expanded when the page opens, unless the page has no more in all."""
_BUDGETS: Final = 10
"""How many budgets the page's own list shows; each drill has its budgets below."""


@dataclass(frozen=True, kw_only=True)
class FlakyView:
    """A drill that passes and fails at one commit."""

    drill: str
    words: str
    last: str
    why: str
    links: Sequence[Link]


@dataclass(frozen=True, kw_only=True)
class NightlyView:
    """Everything that the template lays out."""

    title: str
    subtitle: str
    mark: Mark
    summary: str
    figures: Sequence[tuple[str, str]]
    items: Sequence[Item]
    drills: Sequence[DrillView]
    rows: dict[str, int]
    """By drill, its index in `drills`."""
    unfolded: int
    budgets: Sequence[BudgetView]
    """The budgets with the least left, of those that were touched."""
    more: int
    """How many more touched budgets there are."""
    whole: int
    """How many budgets are untouched."""
    objective: str
    alerts: Sequence[str]
    flaky: Sequence[FlakyView]
    correction: str
    trust: str
    ground: Sequence[tuple[str, str]]
    """By night, the latest first, how its facts differ from the previous night's."""
    facts: Sequence[tuple[str, str]]
    data: str


def write_nightly_page(nightly: Nightly, out: Path) -> None:
    """Write the page, with links to the pages of runs that still exist. Raises `HarnessError` if it cannot be written."""
    write_page(render(nightly, _addresses(nightly, out.parent)), out)


def render(nightly: Nightly, addresses: dict[str, str]) -> str:
    """The page's HTML. `addresses` holds the addresses of runs' pages by the run's folder."""
    pages = RunPages(addresses, nightly.nights)
    by_drill: dict[str, list[Series]] = {drill: [] for night in nightly.nights for drill in (run.drill for run in night.runs)}
    last: dict[tuple[str, str], Judged] = {}
    for judged in nightly.findings.judged:
        series = judged.series
        by_drill.setdefault(series.drill, []).append(series)
        before = last.get((series.drill, series.metric.name))
        if before is None or before.series.points[-1].began_utc <= series.points[-1].began_utc:
            last[series.drill, series.metric.name] = judged
    current: dict[str, list[Judged]] = {drill: [] for drill in by_drill}
    for (drill, _), judged in last.items():
        current[drill].append(judged)
    changes: dict[SeriesKey, list[Finding]] = {}
    for change in reversed(nightly.findings.changes):
        changes.setdefault(key_of(change.series), []).append(change)
    drills = drill_views(nightly, current, changes, pages)
    source = Source(nights=nightly.nights, series=by_drill, changes=changes, links=addresses)
    data = data_of(source, [drill.name for drill in drills])
    view = _view(nightly, drills, pages, packed(data))
    return render_template("nightly.html", page=view)


def _view(nightly: Nightly, drills: Sequence[DrillView], pages: RunPages, data: str) -> NightlyView:
    surprises = sum(drill.mark != "good" and any(run.drill == drill.name for run in nightly.last.runs) for drill in drills)
    touched = [budget for budget in nightly.budgets if budget.spent]
    ground = [(later.name, changed_facts(earlier, later)) for earlier, later in pairwise(nightly.nights)]
    return NightlyView(
        title=title(nightly),
        subtitle=_subtitle(nightly.nights),
        mark=nightly_mark(nightly),
        summary=summary(nightly),
        figures=_figures(nightly, len(drills)),
        items=items(nightly, pages),
        drills=drills,
        rows={drill.name: number for number, drill in enumerate(drills)},
        unfolded=len(drills) if len(drills) <= _UNFOLDED else min(surprises, _UNFOLDED),
        budgets=[budget_view(budget) for budget in touched[:_BUDGETS]],
        more=max(len(touched) - _BUDGETS, 0),
        whole=len(nightly.budgets) - len(touched),
        objective=f"{nightly.objective * 100:g} %",
        alerts=[f"{alert.rate:g} times over {alert.long_nights} nights and the last {alert.short_nights}" for alert in ALERTS],
        flaky=[
            FlakyView(
                drill=one.drill,
                words=flaky_words(one),
                last=one.last_night,
                why=one.example.why,
                links=list(pages.of_run(one.example, "the run")),
            )
            for one in nightly.flaky
        ],
        correction=nightly.findings.correction,
        trust=trust(nightly),
        ground=[(night, changed) for night, changed in reversed(ground) if changed],
        facts=nightly.last.facts,
        data=data,
    )


def _figures(nightly: Nightly, drills: int) -> list[tuple[str, str]]:
    runs = nightly.last.runs
    judged = [run for run in runs if run.verdict != "unknown"]
    return [
        ("nights", f"{len(nightly.nights):,}"),
        ("drills", str(drills)),
        ("runs last night", str(len(runs))),
        ("as expected", f"{sum(run.as_expected for run in judged)} of {len(judged)}"),
        ("unknown", str(len(runs) - len(judged))),
        ("figures compared", f"{len(nightly.compared):,}"),
    ]


def _subtitle(nights: Sequence[Night]) -> str:
    last = nights[-1]
    parts = [f"{nights[0].name} to {last.name}" if len(nights) > 1 else last.name, count(len(nights), "night")]
    return " · ".join([*parts, f"commit {short(last.commit)}"] if last.commit else parts)


def _addresses(nightly: Nightly, beside: Path) -> dict[str, str]:
    """By a run's folder, the address of its page relative to `beside`, for the runs that the page may link to."""
    linked = {night.name for night in nightly.nights[-RECENT_NIGHTS:]}
    for change in nightly.findings.changes:
        nights = [point.night for point in change.series.points]
        at = nights.index(change.night)
        linked.update(nights[max(at - 1, 0) : at + 1])
    folders = {run.run_dir for night in nightly.nights if night.name in linked for run in night.runs if run.run_dir}
    pages = ((folder, Path(folder) / REPORT) for folder in folders)
    return {folder: quote(os.path.relpath(page, beside)) for folder, page in pages if page.is_file()}
