"""What a history of nights holds, as trends are computed from it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from harness.model.errors import UsageError
from results.record.nights.database import HistoryDatabase
from results.record.nights.rows import RecordedRun
from results.record.nights.series import recorded_series
from results.trends.calibration import calibrate
from results.trends.judging import judge
from results.trends.nightly import Nightly
from results.trends.nights import Night, RunOutcome
from results.trends.series import Metric, Point, Series
from results.trends.slo_budget import OBJECTIVE

_ORDERS: Final = 20
_CALIBRATED_POINTS: Final = 100_000
"""A history is judged in so many random orders, or in fewer if it has more points than this: it takes as long each time."""


def judged(
    database: HistoryDatabase, *, last: str | None = None, objective: float = OBJECTIVE, calibrated: bool = False
) -> Nightly:
    """All nights of a history together, or those up to one, as it is judged in the morning after it.

    `calibrated`: it is measured as well how often that is wrong. Raises `UsageError` if no night is over.
    """
    nights = nights_of(database)
    if last is not None:
        nights = nights[: 1 + next(place for place, night in enumerate(nights) if night.name == last)]
    if not nights:
        raise UsageError(f"No night in {database.name} is over yet. Record one with `harness nightly`, or import one.")
    names = {night.name for night in nights}
    series = list(_until(series_of(database), names))
    orders = min(_ORDERS, max(1, _CALIBRATED_POINTS // max(sum(len(one.points) for one in series), 1)))
    calibration = calibrate(series, orders=orders) if calibrated else None
    return Nightly(nights=nights, findings=judge(series), objective=objective, calibration=calibration)


def _until(every: Iterable[Series], names: Container[str]) -> Iterator[Series]:
    """Of each series the points of some nights, if it has any."""
    for series in every:
        points = tuple(point for point in series.points if point.night in names)
        if points:
            yield replace(series, points=points)


def nights_of(database: HistoryDatabase, *, since: datetime | None = None) -> list[Night]:
    """Every night that is over, complete or not, with how its runs ended; the earliest first."""
    runs: dict[str, list[RunOutcome]] = {}
    for run in database.runs(since=since):
        runs.setdefault(run.night, []).append(_outcome(run))
    return [
        Night(
            name=night.name,
            began_utc=night.began_utc,
            commit=night.commit,
            state=night.state,
            why=night.why,
            facts=tuple(night.facts.items()),
            runs=tuple(runs.get(night.name, ())),
        )
        for night in database.nights(since=since)
        if night.state != "begun"
    ]


def _outcome(run: RecordedRun) -> RunOutcome:
    return RunOutcome(
        drill=run.drill,
        definition=run.definition,
        seed=run.seed,
        verdict=run.verdict,
        as_expected=run.as_expected,
        why=run.why,
        slos=run.slos,
        not_counted=run.not_counted,
        run_dir=run.run_folder,
    )


def series_of(database: HistoryDatabase, *, drill: str | None = None, since: datetime | None = None) -> list[Series]:
    """Every metric of every drill, or of one, as far as nights may be compared; by drill, metric and first night.

    Only runs that count, in complete nights, are in it: a night that broke off, or all of whose runs were unknown, is a gap.
    """
    found = list(recorded_series(database, drill=drill, since=since))
    nights = {night.name: night for night in database.nights(since=since)}
    return [
        Series(
            drill=one.drill,
            metric=Metric(name=one.measure.name, unit=one.measure.unit, better=one.measure.better),
            baseline=one.baseline,
            points=tuple(
                Point(night=name, began_utc=nights[name].began_utc, commit=nights[name].commit, values=values)
                for name, values in one.nights
            ),
        )
        for one in found
    ]
