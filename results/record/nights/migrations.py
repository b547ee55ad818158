"""Migrates the tables of a history to the version that this harness knows. Newer versions are refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import sqlalchemy as sa

from harness.model.errors import UsageError
from results.record.nights import schema

STEPS: Final[Mapping[int, Callable[[sa.Connection], None]]] = {}
"""By version, the migration from the version before it. A new history is created from `schema`, without migrations."""


def version_of(connection: sa.Connection) -> int | None:
    """The version of a history; None if the database holds none."""
    if not sa.inspect(connection).has_table(schema.version.name):
        return None
    return int(connection.execute(sa.select(schema.version.c.version)).scalar_one())


def check(version: int, name: str) -> None:
    """Raise `UsageError` if a history's version is newer than this harness knows."""
    if version > schema.VERSION:
        raise UsageError(
            f"The history {name} is of version {version}; this harness knows up to version {schema.VERSION}."
            " Update the harness."
        )


def migrate(connection: sa.Connection, name: str) -> None:
    """Create the tables, or migrate those of an older version. Call it in a write transaction."""
    version = version_of(connection)
    if version is None:
        schema.metadata.create_all(connection)
        connection.execute(sa.insert(schema.version).values(version=schema.VERSION))
        return
    check(version, name)
    for step in range(version + 1, schema.VERSION + 1):
        STEPS[step](connection)
        connection.execute(sa.update(schema.version).values(version=step))
