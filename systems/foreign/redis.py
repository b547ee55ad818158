"""Redis: a real redis-server under the harness, as an example of a foreign system."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from harness.model.system import Address, Answer, Call, CallFailed, Client, Node

if TYPE_CHECKING:
    from redis.asyncio import Redis as RedisConnection

_NODE: Final = "redis"
SERVER: Final = "redis-server"
"""The program."""


@dataclass(frozen=True, kw_only=True)
class Redis:
    """One redis-server from PATH, with its own client library; it syncs every write, or keeps nothing on disk."""

    fsync: bool = True
    """Whether a write is on disk before it is acknowledged; if not, nothing is ever written to disk."""
    fake_clock: bool = False
    """Whether faults can change its clock (ClockSkew, ClockJump, ClockDrift), which makes it slower."""

    def nodes(self) -> Sequence[Node]:
        persistence = ("--appendonly", "yes", "--appendfsync", "always") if self.fsync else ("--appendonly", "no")
        command = (
            SERVER, "--bind", "{host}", "--protected-mode", "no", "--port", "{port}", "--dir", "{data}", "--save", "",
            *persistence,
        )  # fmt: skip
        return [Node(name=_NODE, command=command, fake_clock=self.fake_clock)]

    def entries(self) -> Sequence[str]:
        return [_NODE]

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        return RedisClient(entries[_NODE])

    def missing(self) -> str | None:
        if find_spec("redis") is None:
            return "Redis needs its client library, which is not installed: pip install 'distributed-ml-harness[redis]'"
        if shutil.which(SERVER) is None:
            return f"Redis needs {SERVER}, which is not on PATH: apt install redis-server"
        return None

    async def probe(self, address: Address) -> None:
        """Return when the server answers PING, after it has loaded its data from disk."""
        from redis.exceptions import RedisError

        connection = connected_to(address)
        try:
            await connection.ping()
        except RedisError as error:
            raise ConnectionError(str(error)) from error
        finally:
            await connection.aclose()

    async def time_ns(self, address: Address) -> int:
        """The server's clock, to the microsecond."""
        from redis.exceptions import RedisError

        connection = connected_to(address)
        try:
            seconds, microseconds = await connection.time()
        except RedisError as error:
            raise ConnectionError(str(error)) from error
        finally:
            await connection.aclose()
        return int(seconds) * 10**9 + int(microseconds) * 1000


class RedisClient:
    """One connection, reopened after an error; it retries nothing on its own."""

    def __init__(self, address: Address) -> None:
        self._redis = connected_to(address)

    async def invoke(self, call: Call) -> Answer:
        from redis.exceptions import BusyLoadingError, ResponseError

        if call.kind not in ("read", "write") or (call.kind == "write" and call.value is None):
            raise CallFailed(f"Redis takes reads, and writes with a value; this call is {call}")
        await self._connect()
        try:
            if call.kind == "read":
                value = await self._redis.get(call.key)
                return Answer(None if value is None else str(value), _NODE)
            await self._redis.set(call.key, str(call.value))
        except (BusyLoadingError, ResponseError) as error:  # the server refused it, so it had no effect
            raise CallFailed(str(error)) from error
        return Answer(None, _NODE)

    async def close(self) -> None:
        await self._redis.aclose()

    async def _connect(self) -> None:
        """Open the connection if it is not open. If that fails, the call was certainly not sent."""
        from redis.exceptions import RedisError

        try:
            await self._redis.initialize()
            if self._redis.connection is not None:
                await self._redis.connection.connect()  # type: ignore[no-untyped-call]
        except RedisError as error:
            raise CallFailed(str(error)) from error


def connected_to(address: Address) -> RedisConnection:
    """A connection that opens at its first use, and never sends anything twice."""
    from redis.asyncio import Redis as Connection
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    host, port = address
    return Connection(host=host, port=port, decode_responses=True, retry=Retry(NoBackoff(), 0), single_connection_client=True)
