"""A history of an older version is migrated step by step, and loses nothing."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from results.record.nights import migrations, schema
from results.record.nights.database import HistoryDatabase
from tests.helpers.nights import measured, plan, record


def test_each_step_is_made_once_and_nothing_is_lost(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    record(HistoryDatabase.open(where, create=True), plan(), [measured()])
    made = []

    def step(version: int) -> None:
        def change(connection: sa.Connection) -> None:
            made.append(version)
            connection.execute(sa.text(f"ALTER TABLE harness_nights ADD COLUMN added_{version} TEXT"))

        monkeypatch.setattr(migrations, "STEPS", {**migrations.STEPS, version: change})

    first, second = schema.VERSION + 1, schema.VERSION + 2
    step(first)
    step(second)
    monkeypatch.setattr(schema, "VERSION", second)
    database = HistoryDatabase.open(where)
    HistoryDatabase.open(where)
    assert made == [first, second]
    assert [night.state for night in database.nights()] == ["complete"]
    with database.connections.reading() as connection:
        columns = {column["name"] for column in sa.inspect(connection).get_columns("harness_nights")}
        assert {f"added_{first}", f"added_{second}"} <= columns


def test_a_step_that_fails_changes_nothing(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    record(HistoryDatabase.open(where, create=True), plan(), [measured()])
    before = schema.VERSION

    def breaks(connection: sa.Connection) -> None:
        connection.execute(sa.text("ALTER TABLE harness_nights ADD COLUMN half TEXT"))
        raise RuntimeError("the power went out")

    with monkeypatch.context() as newer:
        newer.setattr(schema, "VERSION", before + 1)
        newer.setattr(migrations, "STEPS", {before + 1: breaks})
        with pytest.raises(RuntimeError):
            HistoryDatabase.open(where)
    database = HistoryDatabase.open(where)
    with database.connections.reading() as connection:
        assert migrations.version_of(connection) == before
        assert "half" not in {column["name"] for column in sa.inspect(connection).get_columns("harness_nights")}


def test_every_version_before_this_one_has_its_step() -> None:
    assert sorted(migrations.STEPS) == list(range(2, schema.VERSION + 1))
