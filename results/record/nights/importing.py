"""Imports nights that were measured earlier, or by other tools, into the history. No result is imported twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import msgspec
import sqlalchemy as sa

from results.record.nights import schema
from results.record.nights.database import HistoryDatabase
from results.record.nights.facts import baseline_of, digest_of
from results.record.nights.recording import Measured, NightPlan, add_figures, add_night, free_name, insert, row_of


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Runs that were found in one place, all of one night."""

    source: str
    """The tool that made them: "harness run", "pytest-benchmark", …"""
    began_utc: datetime
    """Runs of one source, of one day, at one commit and on equal machines make one night."""
    commit: str
    facts: dict[str, str]
    runs: tuple[Measured, ...]
    remarks: tuple[str, ...] = ()
    """What a user should know about how the runs were read, a line each."""

    @property
    def night(self) -> str:
        """The night's name, unless it is taken."""
        key = digest_of([self.source, f"{self.began_utc:%Y%m%d}", self.commit, self.facts])
        return f"{self.began_utc:%Y%m%d}-{key[:8]}"


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What was imported."""

    runs: int
    """How many runs were new."""
    nights: int
    """How many nights they belong to."""
    known: int
    """How many runs the history already had."""


def take_in(database: HistoryDatabase, found: Iterable[Found]) -> Imported:
    """Add every run that is not in the history yet, in one transaction: all of them or, if writing fails, none."""
    by_night: dict[str, list[Found]] = {}
    for part in sorted(found, key=lambda part: part.began_utc):
        by_night.setdefault(part.night, []).append(part)
    runs = known = nights = 0
    with database.connections.writing() as connection:
        for parts in by_night.values():
            measured = [run for part in parts for run in part.runs]
            there = _there(connection, [run.identity for run in measured])
            new = list({run.identity: run for run in measured if run.identity not in there}.values())
            known += len(measured) - len(new)
            if new:
                _add(database, connection, parts[0], new)
                runs, nights = runs + len(new), nights + 1
    return Imported(runs=runs, nights=nights, known=known)


def _add(database: HistoryDatabase, connection: sa.Connection, night: Found, runs: list[Measured]) -> None:
    columns = schema.nights.c
    asked = sa.select(columns.id).where(columns.name == night.night, columns.source == night.source)
    number = connection.execute(asked).scalar_one_or_none()
    if number is None:
        plan = NightPlan(
            source=night.source,
            suite="",
            began_utc=night.began_utc,
            commit=night.commit,
            seed=None,
            repeats=1,
            planned=len(runs),
            facts=night.facts,
            environment={},
        )
        name = free_name(connection, night.night)
        number = add_night(connection, plan, name=name, state="complete", sorted_utc=night.began_utc, host="")
    count = sa.select(sa.func.count()).where(schema.runs.c.night_id == number)
    place = connection.execute(count).scalar_one()
    for run in runs:
        row = row_of(run, baseline_of(night.facts, run.definition), database.connections)
        key = insert(connection, schema.runs, {**row, "night_id": number, "place": place})
        add_figures(connection, key, run.figures)
        place += 1


def _there(connection: sa.Connection, identities: list[str]) -> set[str]:
    """The identities that the history already has. Queried in chunks: SQLite limits the values in one statement."""
    found: set[str] = set()
    for start in range(0, len(identities), 500):
        asked = sa.select(schema.runs.c.identity).where(schema.runs.c.identity.in_(identities[start : start + 500]))
        found.update(connection.execute(asked).scalars())
    return found
