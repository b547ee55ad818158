"""The client of PostgreSQL: it uses asyncpg, and asks the server that accepts writes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from harness.model.system import Address, Answer, Call, CallFailed

if TYPE_CHECKING:
    from asyncpg import Connection, Record
    from asyncpg.exceptions import PostgresLogMessage

T = TypeVar("T")

_USER: Final = "harness"
_DATABASE: Final = "postgres"
_CONNECT_S: Final = 5.0

_READ: Final = "SELECT value FROM registers WHERE key = $1"
_WRITE: Final = "INSERT INTO registers VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value"

_OPERATOR: Final = "57"
"""The class of SQL states of servers that shut down or crash: the fate of a commit is unknown then."""


class NotReplicated(Exception):
    """The primary has a commit, but the standby may not: the primary was told to stop waiting for it."""


class PostgresqlClient:
    """Asks one server, and switches to the other one if that accepts no writes, or does not answer."""

    def __init__(self, entries: Sequence[tuple[str, Address]]) -> None:
        self._entries = entries
        self._at = 0
        self._server: Connection[Record] | None = None
        self._warned = ""

    async def invoke(self, call: Call) -> Answer:
        if call.kind not in ("read", "write") or (call.kind == "write" and call.value is None):
            raise CallFailed(f"PostgreSQL takes reads, and writes with a value; this call is {call}")
        name, server = await self._primary()
        done = False
        try:
            answer = await self._carried_out(call, name, server)
            done = True
        finally:
            if not done:  # also if the caller gave up
                self._leave()
        if self._warned:
            raise NotReplicated(f"{name}: {self._warned}")
        return answer

    async def close(self) -> None:
        if self._server is not None:
            self._server.terminate()

    async def _carried_out(self, call: Call, name: str, server: Connection[Record]) -> Answer:
        from asyncpg import InterfaceError, PostgresError

        self._warned = ""
        try:
            if call.kind == "read":
                return Answer(await _uncancelled(server, server.fetchval(_READ, call.key)), name)
            await _uncancelled(server, server.execute(_WRITE, call.key, call.value))
        except (PostgresError, InterfaceError, OSError) as error:
            state = getattr(error, "sqlstate", None)
            refused = isinstance(error, PostgresError) and state is not None and not state.startswith((_OPERATOR, "08"))
            raise (CallFailed if refused or call.kind == "read" else ConnectionError)(f"{name}: {error}") from error
        return Answer(None, name)

    async def _primary(self) -> tuple[str, Connection[Record]]:
        """A connection to the current server if it accepts writes. Raises `CallFailed` if it does not."""
        from asyncpg import InterfaceError, PostgresError

        name, address = self._entries[self._at]
        if self._server is not None:
            return name, self._server
        why = "it is a standby"
        try:
            self._server = await connected_to(address)
            self._server.add_log_listener(self._heard)
            if not await _uncancelled(self._server, self._server.fetchval("SELECT pg_is_in_recovery()")):
                why = ""
                return name, self._server
        except (PostgresError, InterfaceError, OSError) as error:
            why = str(error) or type(error).__name__
        finally:
            if why:
                self._leave()
        raise CallFailed(f"{name}: {why}")

    def _heard(self, server: object, message: PostgresLogMessage) -> None:
        self._warned = f"{message.message}: {getattr(message, 'detail', '')}"

    def _leave(self) -> None:
        server, self._server = self._server, None
        self._at = (self._at + 1) % len(self._entries)
        if server is not None:
            server.terminate()


async def connected_to(address: Address) -> Connection[Record]:
    """A connection, which sends nothing twice. Raises what `asyncpg.connect` raises."""
    import asyncpg

    host, port = address
    return await asyncpg.connect(host=host, port=port, user=_USER, database=_DATABASE, ssl=False, timeout=_CONNECT_S)


async def asked(address: Address, question: str) -> object:
    """The result of a query on a separate connection. Raises `ConnectionError` if there is none."""
    from asyncpg import InterfaceError, PostgresError

    try:
        server = await connected_to(address)
        try:
            return await server.fetchval(question)
        finally:
            server.terminate()
    except (PostgresError, InterfaceError) as error:
        raise ConnectionError(str(error)) from error


async def _uncancelled(server: Connection[Record], question: Coroutine[object, object, T]) -> T:
    """Run a query. If the caller gives up, cut the connection instead of asking the server to cancel.

    asyncpg would ask the server to cancel. A commit that waits for a standby would then stop waiting, and others would see it
    although a failover may undo it: this client must not cause the anomaly that it looks for.
    """
    asking = asyncio.ensure_future(question)
    try:
        return await asyncio.shield(asking)
    finally:
        if not asking.done():
            server.terminate()
            await asyncio.wait([asking])
            asking.exception()  # retrieve the exception: the connection was cut
