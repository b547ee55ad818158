"""What tests of results share: empty histories, in SQLite and in a real PostgreSQL, and pages without drawings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from results.report import plots
from tests.helpers.postgres import Postgres, running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where to create a history: a file, then the URL of an empty database."""
    if request.param == "sqlite":
        return str(tmp_path / "runs" / "history.sqlite")
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages whose runs have empty drawings: a test of a page's text need not wait a second for each."""
    monkeypatch.setattr(plots, "plot_run", lambda *_: plots.Plot(item="{}", height=100, sampled=""))
