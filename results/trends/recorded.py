"""Reads a history of nights for trends."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from harness.model.errors import UsageError
from results.record.nights.database import HistoryDatabase
from results.record.nights.rows import CALIBRATION, RecordedRun
from results.record.nights.series import recorded_series
from results.trends.aa_nights import AANights, aa_nights
from results.trends.calibration import calibrate
from results.trends.judging import judge
from results.trends.nightly import Nightly
from results.trends.nights import Night, RunOutcome
from results.trends.series import Metric, Point, Series
from results.trends.slo_budget import OBJECTIVE

_ORDERS: Final = 20
_CALIBRATED_POINTS: Final = 100_000
"""A history is judged in `_ORDERS` random orders, or in fewer if they would judge more points than this in all."""


def judged(
    database: HistoryDatabase, *, last: str | None = None, objective: float = OBJECTIVE, calibrated: bool = False
) -> Nightly:
    """Judge all nights of a history, or those up to the one called `last`, as on the morning after it.

    `calibrated`: also measure how often the judgement raises false alarms. Raises `UsageError` if no night is
    over, or `last` is not.
    """
    nights = nights_of(database)
    if last is not None:
        places = {night.name: place for place, night in enumerate(nights)}
        if last not in places:
            night = database.night(last)
            why = "it was made to calibrate" if night.source == CALIBRATION else f"it is {night.state}"
            raise UsageError(f"Night {last} of {database.name} cannot be judged: {why}. Name one that is over.")
        nights = nights[: 1 + places[last]]
    if not nights:
        raise UsageError(f"No night in {database.name} is over yet. Record one with `harness nightly`, or import one.")
    names = {night.name for night in nights}
    series = list(_until(series_of(database), names))
    calibration = calibrate(series, orders=_orders(series)) if calibrated else None
    measured = {(one.drill, one.baseline) for one in series if one.points[-1].night == nights[-1].name}
    aa = aa_test(database, measured) if calibrated else None
    return Nightly(nights=nights, findings=judge(series), objective=objective, calibration=calibration, aa=aa)


def aa_test(database: HistoryDatabase, measured: Container[tuple[str, str]]) -> AANights | None:
    """The A/A test from what `harness nightly --calibrate` recorded, for the given pairs of drill and baseline."""
    series = [one for one in series_of(database, calibration=True) if (one.drill, one.baseline) in measured]
    return aa_nights(series, orders=_orders(series))


def _orders(series: Sequence[Series]) -> int:
    return min(_ORDERS, max(1, _CALIBRATED_POINTS // max(sum(len(one.points) for one in series), 1)))


def _until(every: Iterable[Series], names: Container[str]) -> Iterator[Series]:
    """Each series with only the points of the given nights; series without such a point are left out."""
    for series in every:
        points = tuple(point for point in series.points if point.night in names)
        if points:
            yield replace(series, points=points)


def nights_of(database: HistoryDatabase, *, since: datetime | None = None) -> list[Night]:
    """Every night that is over, complete or not, with how its runs ended, the earliest first. No calibration nights."""
    nights = database.nights(since=since)  # before the runs: one that ends meanwhile would have only some of them
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
        for night in nights
        if night.state != "begun" and night.source != CALIBRATION
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


def series_of(
    database: HistoryDatabase, *, drill: str | None = None, since: datetime | None = None, calibration: bool = False
) -> list[Series]:
    """Every metric of every drill, or of one, in series of comparable nights; sorted by drill, metric and first night.

    They hold only runs that count, in complete nights: a night that broke off, or none of whose runs count, is a gap. With
    `calibration`, the series of calibration nights only; without it, those of all other nights.
    """
    nights = {night.name: night for night in database.nights(since=since)}  # first, as some may be removed meanwhile
    found = recorded_series(database, drill=drill, since=since, calibration=calibration)
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
