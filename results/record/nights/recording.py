"""Records a night in the history as it runs: first that it has begun, then each run, then that it is complete.

However the process ends before that, the history says that the night broke off, and its runs do not count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import sqlalchemy as sa

from harness.model.errors import HarnessError
from harness.model.verdict import RunVerdict
from results.analysis.judge import SLOResult
from results.analysis.recovery import Recovery
from results.record.nights import schema
from results.record.nights.connection import Connections
from results.record.nights.database import BROKE_OFF, HistoryDatabase
from results.record.nights.facts import baseline_of
from results.record.nights.figures import OF_DRILLS
from results.record.nights.holder import Holder, broke_off
from results.record.nights.rows import NIGHTLY, Measure
from results.record.result import CheckResult

_SLACK: Final = timedelta(minutes=5)
"""Added to a run's time limit, before a night on another machine counts as broken off."""
_FACTORS: Final = {("s", "ms"): 1e3, ("ms", "s"): 1e-3}
"""From a figure's unit to the one in which the history keeps its metric: drills measure `max` in ms, pytest-benchmark in s."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What is recorded of a finished run."""

    drill: str
    repeat: int
    seed: int
    began_utc: datetime
    duration_s: float | None
    verdict: RunVerdict
    as_expected: bool
    why: str
    not_counted: str
    """Why its figures do not count when nights are compared; empty if they do."""
    checks: tuple[CheckResult, ...] = ()
    slos: tuple[SLOResult, ...] = ()
    recoveries: tuple[Recovery, ...] = ()
    figures: tuple[tuple[Measure, float], ...] = ()
    histogram: str | None = None
    """Latencies in nanoseconds: HdrHistogram V2, compressed, in base64."""
    definition: str
    rerun: str
    run_folder: str
    identity: str
    """A digest of what was measured, so that the same result is not imported twice."""


class NightPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a night before its first run."""

    source: str = NIGHTLY
    suite: str
    began_utc: datetime
    commit: str
    seed: int | None
    repeats: int
    planned: int
    facts: dict[str, str]
    environment: dict[str, str]


class Recording:
    """A night that this process records."""

    def __init__(self, database: HistoryDatabase, plan: NightPlan) -> None:
        """Begin the night and add it to the history."""
        self._connections = database.connections
        self._facts = plan.facts
        self._holder = Holder.this_process()
        self.warnings: list[str] = []
        """What is odd about the night, a line each: the clock went back, or another night is being recorded here."""
        with self._connections.writing() as connection:
            for other in _settle(connection, self._holder.host):
                self.warnings.append(f"The night {other} is being recorded on this machine too: each disturbs the other.")
            last = _last_on(connection, self._holder.host)
            if last is not None and last > plan.began_utc:
                self.warnings.append(
                    f"The clock of this machine went back: an earlier night began at {last:%Y-%m-%d %H:%M:%S} UTC, and it is"
                    f" {plan.began_utc:%Y-%m-%d %H:%M:%S} UTC now. This night is kept as the later one."
                )
            self.name = free_name(connection, f"{plan.began_utc:%Y%m%dT%H%M%SZ}")
            self._id = add_night(
                connection,
                plan,
                name=self.name,
                state="begun",
                sorted_utc=plan.began_utc if last is None else max(plan.began_utc, last + timedelta(seconds=1)),
                host=self._holder.host,
                holder=self._holder,
                lease_until_utc=datetime.now(UTC) + _SLACK,
            )

    def begin_run(self, *, place: int, drill: str, repeat: int, seed: int, rerun: str, limit_s: float) -> int:
        """Record that a run begins now, which takes at most `limit_s`. Returns its id."""
        now = datetime.now(UTC)
        row = {
            "night_id": self._id, "place": place, "drill": drill, "repeat": repeat, "seed": seed, "state": "begun",
            "verdict": "unknown", "as_expected": False, "why": "", "counted": False, "not_counted": "it did not end",
            "checks": [], "slos": [], "recoveries": [], "began_utc": now, "definition": "",
            "baseline": "", "rerun": rerun, "run_folder": "",
        }  # fmt: skip
        with self._connections.writing() as connection:
            self._prolong(connection, now + timedelta(seconds=limit_s) + _SLACK)
            return insert(connection, schema.runs, row)

    def end_run(self, run: int, measured: Measured) -> None:
        """Record the result of a run."""
        with self._connections.writing() as connection:
            self._prolong(connection, datetime.now(UTC) + _SLACK)
            row = row_of(measured, baseline_of(self._facts, measured.definition), self._connections)
            connection.execute(sa.update(schema.runs).where(schema.runs.c.id == run).values(row))
            add_figures(connection, run, measured.figures)

    def fail_run(self, run: int, why: str) -> None:
        """Record that a run ended without a result."""
        row = {"state": "ended", "why": why, "not_counted": "it came to no result"}
        with self._connections.writing() as connection:
            self._prolong(connection, datetime.now(UTC) + _SLACK)
            connection.execute(sa.update(schema.runs).where(schema.runs.c.id == run).values(row))

    def complete(self) -> None:
        """Every run is recorded. From now on the night counts."""
        self._close("complete", "")

    def break_off(self, why: str) -> None:
        """The night ends early. It is kept, but does not count."""
        self._close("broke off", why)

    def _close(self, state: str, why: str) -> None:
        with self._connections.writing() as connection:
            runs = schema.runs.c
            unended = sa.update(schema.runs).where(runs.night_id == self._id, runs.state == "begun")
            connection.execute(unended.values(state="broke off", why=why))
            self._update(connection, state=state, why=why, ended_utc=datetime.now(UTC), holder=None, lease_until_utc=None)

    def _prolong(self, connection: sa.Connection, until: datetime) -> None:
        self._update(connection, lease_until_utc=until)

    def _update(self, connection: sa.Connection, **values: object) -> None:
        done = connection.execute(sa.update(schema.nights).where(schema.nights.c.id == self._id).values(values))
        if not done.rowcount:
            raise HarnessError(f"The night {self.name} was removed from the history while it was recorded.")


def add_night(connection: sa.Connection, plan: NightPlan, **others: object) -> int:
    """Add a night in a write transaction; `others` are the columns that are not in the plan. Returns its id."""
    row = {name: value for name, value in msgspec.structs.asdict(plan).items() if name != "commit"}
    return insert(connection, schema.nights, {**row, "git_commit": plan.commit, "why": "", **others})


def row_of(measured: Measured, baseline: str, connections: Connections) -> dict[str, object]:
    """The columns of a finished run."""
    row: dict[str, object] = {
        name: getattr(measured, name) for name in measured.__struct_fields__ if name in schema.runs.c and name != "checks"
    }
    checks = [_short(check) for check in measured.checks]
    others = {"checks": checks, "state": "ended", "counted": not measured.not_counted, "baseline": baseline}
    return {**row, **others, "run_folder": connections.stored(measured.run_folder)}


def _short(check: CheckResult) -> CheckResult:
    """A check without what only the run's folder keeps: its operations, and why it is valid."""
    return msgspec.structs.replace(check, ops=(), why="" if check.valid else check.why)


def add_figures(connection: sa.Connection, run: int, figures: Sequence[tuple[Measure, float]]) -> None:
    """Add a run's figures in a write transaction, and the metrics that the history does not know yet.

    A metric has one unit: that of the drills' metric of this name, in which SLOs are written, or else that of the first figure.
    Figures in another one are converted.
    """
    if not figures:
        return
    metrics = schema.metrics.c
    known = {name: (key, unit) for name, key, unit in connection.execute(sa.select(metrics.name, metrics.id, metrics.unit))}
    rows = []
    for measure, value in figures:
        if measure.name not in known:
            kept = OF_DRILLS.get(measure.name, measure)
            known[measure.name] = insert(connection, schema.metrics, msgspec.structs.asdict(kept)), kept.unit
        key, unit = known[measure.name]
        rows.append({"run_id": run, "metric_id": key, "value": value * _FACTORS.get((measure.unit, unit), 1.0)})
    connection.execute(sa.insert(schema.figures), rows)


def free_name(connection: sa.Connection, wanted: str) -> str:
    """A name for a night that is not taken: the wanted one, or that with a number appended."""
    like = schema.nights.c.name.startswith(wanted, autoescape=True)
    taken = set(connection.execute(sa.select(schema.nights.c.name).where(like)).scalars())
    number = 1
    while (name := wanted if number == 1 else f"{wanted}-{number}") in taken:
        number += 1
    return name


def insert(connection: sa.Connection, table: sa.Table, row: Mapping[str, object]) -> int:
    """Add one row to a table with an integer key; returns the key."""
    key = connection.execute(sa.insert(table).values(row)).inserted_primary_key
    assert key is not None  # noqa: S101 - for types: one row was inserted
    return int(key[0])


def _settle(connection: sa.Connection, host: str) -> list[str]:
    """Mark the nights that broke off as such, for programs that read the tables directly.

    Returns the names of the nights that are being recorded on this host.
    """
    nights, runs = schema.nights.c, schema.runs.c
    begun = sa.select(nights.id, nights.name, nights.host, nights.holder, nights.lease_until_utc).where(nights.state == "begun")
    going_on = []
    for night, name, of_host, holder, lease_until in connection.execute(begun).all():
        if broke_off(holder, lease_until):
            told = {"state": "broke off", "why": BROKE_OFF}
            connection.execute(sa.update(schema.runs).where(runs.night_id == night, runs.state == "begun").values(told))
            connection.execute(sa.update(schema.nights).where(nights.id == night).values(told))
        elif of_host == host:
            going_on.append(name)
    return going_on


def _last_on(connection: sa.Connection, host: str) -> datetime | None:
    """When the last night that was recorded on a host began, as `sorted_utc` has it; None if there is none."""
    nights = schema.nights.c
    asked = sa.select(sa.func.max(nights.sorted_utc)).where(nights.host == host, nights.source == NIGHTLY)
    return connection.execute(asked).scalar()
