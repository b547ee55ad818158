"""Brings the tables of a history to the version that this harness knows. A history of a newer one is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import sqlalchemy as sa

from harness.model.errors import UsageError
from results.record.nights import schema

STEPS: Final[Mapping[int, Callable[[sa.Connection], None]]] = {}
"""By version, what changes a history of the version before it. A new history is made as `schema` says, without them."""


def version_of(connection: sa.Connection) -> int | None:
    """The version of a history; None if the database holds none."""
    if not sa.inspect(connection).has_table(schema.version.name):
        return None
    return int(connection.execute(sa.select(schema.version.c.version)).scalar_one())


def check(version: int, name: str) -> None:
    """Raise `UsageError` if a history is of a newer version than this harness knows."""
    if version > schema.VERSION:
        raise UsageError(
            f"The history {name} is of version {version}; this harness knows up to version {schema.VERSION}."
            " Update the harness."
        )


def migrate(connection: sa.Connection, name: str) -> None:
    """Make the tables, or bring those of an older version up to date. Call it in a writing transaction."""
    version = version_of(connection)
    if version is None:
        schema.metadata.create_all(connection)
        connection.execute(sa.insert(schema.version).values(version=schema.VERSION))
        return
    check(version, name)
    for step in range(version + 1, schema.VERSION + 1):
        STEPS[step](connection)
        connection.execute(sa.update(schema.version).values(version=step))
