"""Reads the history database. `results.record.nights.recording` writes it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa

from harness.model.errors import UsageError, hint
from results.analysis.histogram import Histogram
from results.record.nights import migrations, schema
from results.record.nights.connection import Connections
from results.record.nights.holder import broke_off
from results.record.nights.rows import Measure, NightState, RecordedNight, RecordedRun
from results.record.result import CheckResult

BROKE_OFF = "broke off: its process ended without a result"


class HistoryDatabase:
    """An existing history. Nights come in the order in which they were recorded, the earliest first."""

    def __init__(self, connections: Connections) -> None:
        self.connections = connections

    @classmethod
    def open(cls, where: str | Path, *, create: bool = False) -> HistoryDatabase:
        """Open a history by its file or its URL, and migrate it if it is of an older version.

        Raises `UsageError` if there is none (unless `create`), if its version is newer than this harness knows, or if the file
        is not a history.
        """
        connections = Connections(where)
        file = connections.file
        if file is not None and not file.exists():
            if not create:
                raise UsageError(f"There is no history {file}. Record a night with `harness nightly`, or import one.")
            connections.make_file()
        with connections.reading() as connection:
            version = migrations.version_of(connection)
        if version is None and not create:
            raise UsageError(f"{connections.name} holds no history. Record a night with `harness nightly`, or import one.")
        if version is not None:
            migrations.check(version, connections.name)
        if version != schema.VERSION:
            with connections.writing() as connection:
                migrations.migrate(connection, connections.name)
        return cls(connections)

    @property
    def name(self) -> str:
        """Its file, or its URL without the password."""
        return self.connections.name

    def nights(
        self, *, drill: str | None = None, suite: str | None = None, since: datetime | None = None
    ) -> list[RecordedNight]:
        """All nights, or only those that ran a drill, ran a suite, or began at `since` or later."""
        asked = sa.select(schema.nights).order_by(schema.nights.c.sorted_utc, schema.nights.c.id)
        if drill is not None:
            asked = asked.where(schema.nights.c.id.in_(sa.select(schema.runs.c.night_id).where(schema.runs.c.drill == drill)))
        if suite is not None:
            asked = asked.where(schema.nights.c.suite == suite)
        if since is not None:
            asked = asked.where(schema.nights.c.began_utc >= since)
        with self.connections.reading() as connection:
            return [_night(row) for row in connection.execute(asked).mappings()]

    def night(self, name: str) -> RecordedNight:
        """The night of that name; "last" is the latest one. Raises `UsageError` if there is none."""
        nights = {night.name: night for night in self.nights()}
        found = next(reversed(nights.values()), None) if name == "last" else nights.get(name)
        if found is None:
            raise UsageError(
                f"No night called {name!r}. {hint(name, list(nights)[-5:]) if nights else 'The history is empty.'}"
            )
        return found

    def runs(self, *, night: str | None = None, drill: str | None = None, since: datetime | None = None) -> list[RecordedRun]:
        """All runs in the order in which they were made, or only those of one night, of one drill, or since a time."""
        nights, runs = schema.nights.c, schema.runs.c
        columns = [column for column in runs if column.name not in _LARGE]
        state = nights.state.label("night_state")
        asked = sa.select(*columns, nights.name.label("night"), state, nights.holder, nights.lease_until_utc)
        asked = asked.join_from(schema.runs, schema.nights).order_by(nights.sorted_utc, nights.id, runs.place)
        if night is not None:
            asked = asked.where(nights.name == night)
        if drill is not None:
            asked = asked.where(runs.drill == drill)
        if since is not None:
            asked = asked.where(nights.began_utc >= since)
        with self.connections.reading() as connection:
            return [self._run(row) for row in connection.execute(asked).mappings()]

    def checks(self, run: int) -> tuple[CheckResult, ...]:
        """The results of a run's checks, by the run's id. The reason of a valid one is not kept."""
        with self.connections.reading() as connection:
            found = connection.execute(sa.select(schema.runs.c.checks).where(schema.runs.c.id == run)).scalar_one()
        return cast(tuple[CheckResult, ...], found)

    def histogram(self, run: int) -> Histogram | None:
        """The latencies of a run, by its id; None if it has none."""
        with self.connections.reading() as connection:
            found = connection.execute(sa.select(schema.runs.c.histogram).where(schema.runs.c.id == run)).scalar_one()
        return None if found is None else Histogram.decode(found)

    def measures(self) -> dict[str, Measure]:
        """Every metric that has figures, by its name."""
        asked = sa.select(schema.metrics.c.name, schema.metrics.c.unit, schema.metrics.c.better)
        with self.connections.reading() as connection:
            rows = connection.execute(asked).all()
        return {name: Measure(name=name, unit=unit, better=better) for name, unit, better in rows}

    def figures_of(self, run: int) -> dict[str, float]:
        """All figures of a run, by its id, whether or not they count."""
        asked = sa.select(schema.metrics.c.name, schema.figures.c.value).join_from(schema.figures, schema.metrics)
        with self.connections.reading() as connection:
            return dict(connection.execute(asked.where(schema.figures.c.run_id == run)).all())

    def details(self, runs: Collection[int]) -> dict[int, tuple[dict[str, float], str | None]]:
        """By run id, all figures of the run and its encoded histogram."""
        columns = schema.runs.c
        figures = sa.select(schema.figures.c.run_id, schema.metrics.c.name, schema.figures.c.value)
        with self.connections.reading() as connection:
            every = connection.execute(sa.select(columns.id, columns.histogram))
            found: dict[int, tuple[dict[str, float], str | None]] = {run: ({}, text) for run, text in every if run in runs}
            for run, name, value in connection.execute(figures.join_from(schema.figures, schema.metrics)):
                if run in found:
                    found[run][0][name] = value
        return found

    def _run(self, row: sa.RowMapping) -> RecordedRun:
        values: dict[str, Any] = {name: row[name] for name in RecordedRun.__struct_fields__}
        values["run_folder"] = self.connections.found(row["run_folder"])
        if row["state"] == "begun" and _state(row, "night_state") != "begun":
            values |= {"state": "broke off", "why": BROKE_OFF}
        return RecordedRun(**values)


_LARGE = ("checks", "histogram", "identity", "night_id")
"""Columns that a list of thousands of runs leaves out."""


def _state(row: sa.RowMapping, state: str) -> NightState:
    """The state of a night: one that has begun but is no longer being recorded has broken off."""
    if row[state] != "begun":
        return cast(NightState, row[state])
    return "broke off" if broke_off(row["holder"], row["lease_until_utc"]) else "begun"


def _night(row: sa.RowMapping) -> RecordedNight:
    state = _state(row, "state")
    why = row["why"] or (BROKE_OFF if state == "broke off" else "")
    values: dict[str, Any] = {name: row[name] for name in RecordedNight.__struct_fields__ if name in row}
    return RecordedNight(**values | {"state": state, "why": why, "commit": row["git_commit"]})
