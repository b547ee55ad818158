"""What the nights' page shows of each drill: its figures and its error budgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

import numpy as np

from results.report.nightly_data import SeriesKey
from results.report.nightly_items import Item, RunPages, change_item
from results.report.nightly_phrasing import (
    amount,
    budget_words,
    burn_words,
    flaky_words,
    place_of,
    run_word,
    smallest_of,
    two_digits,
)
from results.report.phrasing import Mark, mark_of
from results.trends.findings import Finding, Judged
from results.trends.nightly import Nightly
from results.trends.series import Series
from results.trends.slo_budget import Budget

_MAD_TO_DEVIATION: Final = 1.4826
"""Times the median absolute deviation, this estimates the standard deviation of normally distributed values."""

_NOT_RUN: Final = "did not run"


@dataclass(frozen=True, kw_only=True)
class FigureView:
    """One metric of a drill."""

    name: str
    last: str
    level: str
    """The median since the metric last moved."""
    noise: str
    """How far nights scatter around the level."""
    smallest: str
    notes: Sequence[str]
    label: str
    """What its drawing shows, for screen readers."""


@dataclass(frozen=True, kw_only=True)
class BudgetView:
    """One SLO of a drill."""

    mark: Mark
    drill: str
    slo: str
    attained: Sequence[str]
    left: float
    """In percent, for the bar."""
    words: str
    burns: str


@dataclass(frozen=True, kw_only=True)
class DrillView:
    name: str
    mark: Mark
    word: str
    figures: Sequence[FigureView]
    notes: Sequence[str]
    """Notes that apply to all its figures."""
    budgets: Sequence[BudgetView]
    earlier: Sequence[Item]
    """How its figures moved before the last night, the latest change first."""
    flaky: str
    """How often it fails at commits at which it also passes; empty if it is not flaky."""


def drill_views(
    nightly: Nightly, current: Mapping[str, Sequence[Judged]], changes: Mapping[SeriesKey, Sequence[Finding]], pages: RunPages
) -> list[DrillView]:
    """Every drill of the history, those to look into first. `current` are the series under the last baseline, by drill."""
    budgets: dict[str, list[BudgetView]] = {}
    for budget in nightly.budgets:
        budgets.setdefault(budget.drill, []).append(budget_view(budget))
    flaky = {one.drill: flaky_words(one) for one in nightly.flaky}
    new = {id(change) for change in nightly.new}
    views = []
    for drill, of_drill in current.items():
        judged = sorted(of_drill, key=lambda each: place_of(each.series.metric.name))
        common = [note for note in (judged[0].notes if judged else ()) if all(note in each.notes for each in judged)]
        moved = [change for each in judged for change in changes.get(key_of(each.series), ())]
        mark, word = _state(nightly, drill, [change for change in moved if id(change) in new])
        earlier = sorted((change for change in moved if id(change) not in new), key=lambda change: change.night, reverse=True)
        views.append(
            DrillView(
                name=drill,
                mark=mark,
                word=word,
                figures=[_figure(each, changes.get(key_of(each.series), ()), common) for each in judged],
                notes=common,
                budgets=budgets.get(drill, []),
                earlier=[change_item(change, pages) for change in earlier],
                flaky=flaky.get(drill, ""),
            )
        )
    order: list[Mark] = ["bad", "open", "good"]
    return sorted(views, key=lambda view: (view.word == _NOT_RUN, order.index(view.mark), view.name))


def key_of(series: Series) -> SeriesKey:
    return series.drill, series.metric.name, series.baseline


def budget_view(budget: Budget) -> BudgetView:
    told = any(window.share is not None for window in budget.attained)
    return BudgetView(
        mark=mark_of((budget.left > 0 and not budget.fires) if told else None),
        drill=budget.drill,
        slo=budget.slo,
        attained=[
            "–" if window.share is None else f"{window.met} of {window.met + window.missed}" for window in budget.attained
        ],
        left=round(max(budget.left, 0) * 100, 1),
        words=budget_words(budget) if told else "not judged in any run",
        burns=burn_words(budget),
    )


def _state(nightly: Nightly, drill: str, new: Sequence[Finding]) -> tuple[Mark, str]:
    """How the drill stands this morning."""
    for runs in (nightly.wrong, nightly.missed):
        for run in runs:
            if run.drill == drill:
                return "bad", run_word(run)
    if worse := [change.series.metric.name for change in new if change.worse]:
        return "bad", f"{', '.join(worse)} worse"
    if any(run.drill == drill for run in nightly.unknown):
        return "open", "unknown"
    if any(run.drill == drill for run in nightly.not_counted):
        return "open", "not compared"
    if not any(run.drill == drill for run in nightly.last.runs):
        return "open", _NOT_RUN
    better = [change.series.metric.name for change in new]
    return "good", f"{', '.join(better)} better" if better else "nothing moved"


def _figure(judged: Judged, changes: Sequence[Finding], common: Sequence[str]) -> FigureView:
    series = judged.series
    metric, points = series.metric, series.points
    nights = [point.values[0] if len(point.values) == 1 else median(point.values) for point in points]
    since = next((number for number, point in enumerate(points) if changes and point.night == changes[-1].night), 0)
    level = median(nights[since:])
    deviation = _MAD_TO_DEVIATION * float(np.median(np.abs(np.array(nights[since:]) - level)))
    moved = "; ".join(
        f"moved {change.night}, {amount(metric, change.before)} to {amount(metric, change.after)}" for change in changes
    )
    return FigureView(
        name=metric.name,
        last=amount(metric, nights[-1]),
        level=amount(metric, level),
        noise="–" if len(nights) - since < 3 else _noise(deviation, level, metric.unit),
        smallest=smallest_of(judged),
        notes=[note for note in judged.notes if note not in common],
        label=f"{metric.name} of {series.drill}, {len(points)} nights: {moved or 'did not move'}. Arrow keys go through them.",
    )


def _noise(deviation: float, level: float, unit: str) -> str:
    if unit == "" or not level:
        return f"± {two_digits(deviation * (100 if unit == '' else 1))} {'points' if unit == '' else unit}"
    return f"± {two_digits(abs(deviation / level) * 100)} %"
