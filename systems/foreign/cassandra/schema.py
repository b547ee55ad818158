"""The one table of registers, on all nodes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, cast

from systems.foreign.cassandra.cql import CqlConnection

TABLE: Final = "harness.registers"
_STATEMENTS: Final = (
    "CREATE KEYSPACE IF NOT EXISTS harness WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}",
    f"CREATE TABLE IF NOT EXISTS {TABLE} (key text PRIMARY KEY, value text)",
)


async def make(node: CqlConnection) -> None:
    """Create the table; return when a quorum knows it. Raises `ConnectionError` if it does not know it yet."""
    [[tokens]] = await node.ask("SELECT tokens FROM system.local", "ONE")
    if first_token() in {str(token) for token in cast(Iterable[object], tokens)}:  # so that only one node creates it
        for statement in _STATEMENTS:
            await node.ask(statement, "ONE")
    await node.ask(f"SELECT value FROM {TABLE} WHERE key = 'a'", "QUORUM")  # noqa: S608 - a constant


def first_token() -> str:
    """The token of the first node, which is the lowest."""
    return str(-(2**63))
