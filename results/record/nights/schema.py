"""The tables of the history. If you change them, raise `VERSION` and add a step to `migrations`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from results.analysis.judge import SLOResult
from results.analysis.recovery import Recovery
from results.record.nights.holder import Holder
from results.record.result import CheckResult

VERSION: Final = 1

metadata: Final = sa.MetaData()


class Utc(sa.types.TypeDecorator[datetime]):
    """A time with its zone. SQLite has no zones, so there it is stored in UTC without one."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        in_utc = value.astimezone(UTC)
        return in_utc.replace(tzinfo=None) if dialect.name == "sqlite" else in_utc

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Json(sa.types.TypeDecorator[Any]):
    """A value stored as JSON text and decoded to its type."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: object, dialect: sa.Dialect) -> str | None:
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> Any:
        return None if value is None else msgspec.json.decode(value, type=self.kind)


version: Final = sa.Table("harness_version", metadata, sa.Column("version", sa.Integer, nullable=False))

_KEY: Final = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""SQLite assigns keys only in a column that is declared INTEGER."""

nights: Final = sa.Table(
    "harness_nights",
    metadata,
    sa.Column("id", _KEY, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("suite", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # NightState; readers determine whether one that has begun has broken off
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("began_utc", Utc, nullable=False),
    sa.Column("sorted_utc", Utc, nullable=False, index=True),  # began_utc, unless the machine's clock went back
    sa.Column("ended_utc", Utc),
    sa.Column("git_commit", sa.Text, nullable=False),
    sa.Column("seed", sa.BigInteger),
    sa.Column("repeats", sa.Integer, nullable=False),
    sa.Column("planned", sa.Integer, nullable=False),
    sa.Column("facts", Json(dict[str, str]), nullable=False),
    sa.Column("environment", Json(dict[str, str]), nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("holder", Json(Holder)),  # while it is being recorded
    sa.Column("lease_until_utc", Utc),  # unless the holder renews it by then, the night has broken off
)

runs: Final = sa.Table(
    "harness_runs",
    metadata,
    sa.Column("id", _KEY, primary_key=True),
    sa.Column("night_id", sa.ForeignKey("harness_nights.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("place", sa.Integer, nullable=False),
    sa.Column("drill", sa.Text, nullable=False, index=True),
    sa.Column("repeat", sa.Integer, nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # RunState
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("as_expected", sa.Boolean, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("counted", sa.Boolean, nullable=False),
    sa.Column("not_counted", sa.Text, nullable=False),
    sa.Column("checks", Json(tuple[CheckResult, ...]), nullable=False),
    sa.Column("slos", Json(tuple[SLOResult, ...]), nullable=False),
    sa.Column("recoveries", Json(tuple[Recovery, ...]), nullable=False),
    sa.Column("began_utc", Utc, nullable=False),
    sa.Column("duration_s", sa.Double),
    sa.Column("definition", sa.Text, nullable=False),
    sa.Column("baseline", sa.Text, nullable=False),
    sa.Column("rerun", sa.Text, nullable=False),
    sa.Column("run_folder", sa.Text, nullable=False),
    sa.Column("histogram", sa.Text),  # latencies in ns: HdrHistogram V2, compressed, base64
    sa.Column("identity", sa.Text, unique=True),  # a digest of the result: the same result is not imported twice
)

metrics: Final = sa.Table(
    "harness_metrics",
    metadata,
    sa.Column("id", _KEY, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("unit", sa.Text, nullable=False),
    sa.Column("better", sa.Text, nullable=False),
)

figures: Final = sa.Table(
    "harness_figures",
    metadata,
    sa.Column("run_id", sa.ForeignKey("harness_runs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("metric_id", sa.ForeignKey("harness_metrics.id"), primary_key=True),
    sa.Column("value", sa.Double, nullable=False),
    sqlite_with_rowid=False,
)
