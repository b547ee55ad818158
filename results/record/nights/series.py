"""Reads the figures of a whole history at once: a million of them in a few seconds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

import msgspec
import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from results.record.nights import schema
from results.record.nights.database import HistoryDatabase
from results.record.nights.rows import CALIBRATION, Measure


class RecordedSeries(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one drill in one baseline: in order, each night's name and what its runs measured."""

    drill: str
    measure: Measure
    baseline: str
    nights: list[tuple[str, tuple[float, ...]]]


def recorded_series(
    database: HistoryDatabase, *, drill: str | None = None, since: datetime | None = None, calibration: bool = False
) -> Iterator[RecordedSeries]:
    """Every series of figures, from counted runs of complete nights, sorted by drill, metric and first night.

    With `calibration`, the series of calibration nights only; without it, those of all other nights.
    """
    nights, runs = schema.nights.c, schema.runs.c
    counting = sa.select(runs.id, nights.name, runs.drill, runs.baseline).select_from(schema.nights.join(schema.runs))
    of_source = nights.source == CALIBRATION if calibration else nights.source != CALIBRATION
    counting = counting.where(nights.state == "complete", runs.counted, of_source)
    if drill is not None:
        counting = counting.where(runs.drill == drill)
    if since is not None:
        counting = counting.where(nights.began_utc >= since)
    measured = sa.select(schema.figures.c.run_id, schema.figures.c.metric_id, schema.figures.c.value)
    if drill is not None or since is not None or calibration:
        measured = measured.where(schema.figures.c.run_id.in_(counting.with_only_columns(runs.id)))
    measures = sa.select(schema.metrics)
    with database.connections.reading() as connection:
        rows = connection.execute(counting.order_by(nights.sorted_utc, nights.id, runs.place)).all()
        figures = _columns(connection, measured)
        known = {row.id: Measure(name=row.name, unit=row.unit, better=row.better) for row in connection.execute(measures)}
    if not rows or not len(figures):
        return
    groups: dict[tuple[str, str], int] = {}
    of_run = np.array([groups.setdefault((of_drill, baseline), len(groups)) for _, _, of_drill, baseline in rows])
    place, figures = _places(np.array([row.id for row in rows]), figures)
    metric = figures["metric"]
    width = int(metric.max()) + 1
    key = of_run[place] * width + metric
    order = np.lexsort((place, key))
    key, place, values = key[order], place[order], figures["value"][order].tolist()
    bounds = [0, *(np.flatnonzero(np.diff(key)) + 1).tolist(), len(key)]
    names = list(groups)
    numbers: dict[str, int] = {}
    night_of = np.array([numbers.setdefault(row.name, len(numbers)) for row in rows])
    found = []
    for begin, end in pairwise(bounds):
        of_drill, baseline = names[key[begin] // width]
        at = place[begin:end]
        cuts = [0, *(np.flatnonzero(np.diff(night_of[at])) + 1).tolist(), end - begin]
        points = [(rows[at[first]].name, tuple(values[begin + first : begin + last])) for first, last in pairwise(cuts)]
        one = RecordedSeries(drill=of_drill, measure=known[int(key[begin] % width)], baseline=baseline, nights=points)
        found.append((of_drill, one.measure.name, int(at[0]), one))
    yield from (one for *_, one in sorted(found, key=lambda item: item[:3]))


def _columns(connection: sa.Connection, asked: sa.Select[tuple[int, int, float]]) -> NDArray[np.void]:
    """The rows of a query as an array. They come directly from the driver: a million of SQLAlchemy's rows take too long."""
    result = connection.execute(asked)
    rows = result.cursor.fetchall()
    result.close()
    return np.array(rows, dtype=[("run", np.int64), ("metric", np.int64), ("value", np.float64)])


def _places(ids: NDArray[np.int64], figures: NDArray[np.void]) -> tuple[NDArray[np.int64], NDArray[np.void]]:
    """The figures that belong to the given runs, and for each of them its run's position in `ids`."""
    by_id = np.argsort(ids)
    at = np.minimum(np.searchsorted(ids, figures["run"], sorter=by_id), len(ids) - 1)
    place = by_id[at]
    counts = ids[place] == figures["run"]
    return place[counts], figures[counts]
