"""The client of Cassandra: it asks one node, and the next one if that does not answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from harness.model.system import Address, Answer, Call, CallFailed
from systems.foreign.cassandra.cql import CqlConnection, quoted
from systems.foreign.cassandra.schema import TABLE

_REFUSED: Final = frozenset({"InvalidRequest", "OverloadedErrorMessage", "IsBootstrappingErrorMessage"})
"""The driver's exceptions for a request that the node has not begun."""

_TOO_FEW: Final = "Unavailable"
"""Too few replicas are alive. A node notices this before it begins, but in a transaction also after it was decided."""


class CassandraClient:
    """Asks one node, and switches to the next one if that does not answer, or answers with an error.

    It sends nothing twice.
    """

    def __init__(self, home: int, entries: Sequence[tuple[str, Address]], *, consistency: str, transactions: bool) -> None:
        self._entries = entries
        self._at = home % len(entries)
        self._consistency = consistency
        self._transactions = transactions
        self._node: CqlConnection | None = None

    async def invoke(self, call: Call) -> Answer:
        statement = self._statement(call)
        name, node = await self._connected()
        done = False
        try:
            rows = await self._asked(node, name, statement, call)
            done = True
        finally:
            if not done:  # also if the caller gave up
                self._leave()
        if call.kind == "read":
            value = rows[0][0] if rows else None
            return Answer(None if value is None else str(value), name)
        if not self._transactions or rows[0][0]:  # a transaction's first column shows whether it was applied
            return Answer(None, name)
        if call.kind == "write" or call.value is None:
            raise CallFailed(f"{name}: the value is there already")
        return Answer(msgspec.json.encode([*msgspec.json.decode(call.value), False]).decode(), name)

    async def close(self) -> None:
        if self._node is not None:
            self._node.close()

    def _statement(self, call: Call) -> str:
        key = quoted(call.key)
        if call.kind == "read":
            return f"SELECT value FROM {TABLE} WHERE key = {key}"  # noqa: S608 - quoted
        if call.kind == "write" and call.value is not None:
            value = quoted(call.value)
            condition = f" IF value != {value}" if self._transactions else ""
            return f"UPDATE {TABLE} SET value = {value} WHERE key = {key}{condition}"  # noqa: S608 - quoted
        if call.kind == "cas" and call.value is not None and self._transactions:
            old, new = ("null" if text is None else quoted(text) for text in msgspec.json.decode(call.value))
            return f"UPDATE {TABLE} SET value = {new} WHERE key = {key} IF value = {old}"  # noqa: S608 - quoted
        raise CallFailed(
            f"Cassandra takes reads, writes with a value and, with transactions, compare-and-sets; this call is {call}"
        )

    async def _asked(self, node: CqlConnection, name: str, statement: str, call: Call) -> Sequence[Sequence[object]]:
        level = "SERIAL" if self._transactions and call.kind == "read" else self._consistency
        try:
            return await node.ask(statement, level)
        except Exception as error:  # the driver's exceptions have no common class but this
            kind = type(error).__name__
            refused = call.kind == "read" or kind in _REFUSED or (kind == _TOO_FEW and not self._transactions)
            raise (CallFailed if refused else ConnectionError)(f"{name}: {kind}: {error}") from error

    async def _connected(self) -> tuple[str, CqlConnection]:
        """A connection to the node. Raises `CallFailed` if there is none."""
        name, address = self._entries[self._at]
        if self._node is None:
            opened = False
            try:
                self._node = await CqlConnection.opened(address)
                opened = True
            except Exception as error:
                raise CallFailed(f"{name}: {error}") from error
            finally:
                if not opened:
                    self._leave()
        return name, self._node

    def _leave(self) -> None:
        node, self._node = self._node, None
        self._at = (self._at + 1) % len(self._entries)
        if node is not None:
            node.close()
