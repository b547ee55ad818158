"""Redis: a real redis-server under the harness, as an example of a foreign system."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from harness.drill import Address, Answer, Call, CallFailed, Client, Node

if TYPE_CHECKING:
    from redis.asyncio import Redis as RedisConnection

_SERVER = "redis-server"


@dataclass(frozen=True, kw_only=True)
class Redis:
    """One redis-server from PATH, through its own client library, with or without an append-only file synced at every write."""

    fsync: bool = True
    """Whether a write is on disk before it is acknowledged; without, nothing is ever written to disk."""

    def nodes(self) -> Sequence[Node]:
        persistence = ("--appendonly", "yes", "--appendfsync", "always") if self.fsync else ("--appendonly", "no")
        command = (_SERVER, "--bind", "{host}", "--port", "{port}", "--dir", "{data}", "--save", "", *persistence)
        return [Node(name="redis", command=command)]

    def entries(self) -> Sequence[str]:
        return ["redis"]

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        return RedisClient(entries["redis"])

    def missing(self) -> str | None:
        if find_spec("redis") is None:
            return "Redis' client library is not installed: pip install 'distributed-ml-harness[redis]'."
        if shutil.which(_SERVER) is None:
            return f"There is no {_SERVER} on PATH: apt install redis-server."
        return None

    async def probe(self, address: Address) -> None:
        """Returns when the server answers PING, and has read what it had on disk."""
        from redis.exceptions import RedisError

        connection = _connection(address)
        try:
            await connection.ping()
        except RedisError as error:
            raise ConnectionError(str(error)) from error
        finally:
            await connection.aclose()


class RedisClient:
    """One connection at a time, opened anew after an error; nothing is retried behind the load's back."""

    def __init__(self, address: Address) -> None:
        self._redis = _connection(address)

    async def invoke(self, call: Call) -> Answer:
        from redis.exceptions import BusyLoadingError, ResponseError

        try:
            if call.kind == "read":
                value = await self._redis.get(call.key)
                return Answer(None if value is None else str(value), "redis")
            await self._redis.set(call.key, call.value or "")
        except (BusyLoadingError, ResponseError) as error:  # it was refused: nothing has happened
            raise CallFailed(str(error)) from error
        return Answer(None, "redis")

    async def close(self) -> None:
        await self._redis.aclose()


def _connection(address: Address) -> RedisConnection:
    from redis.asyncio import Redis as Connection
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    host, port = address
    return Connection(
        host=host, port=port, decode_responses=True, retry=Retry(NoBackoff(), 0), single_connection_client=False,
        socket_connect_timeout=5,
    )  # fmt: skip
