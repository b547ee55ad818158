"""Redis with a replica: writes that `WAIT` for it or do not, and a failover that the harness starts."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.model.errors import UsageError
from harness.model.system import Address, Answer, Call, CallFailed, Client, Node
from systems.foreign.redis import SERVER, Redis, connected_to

if TYPE_CHECKING:
    from redis.asyncio import Redis as RedisConnection

_NAMES: Final = ("n1", "n2")
_PROMPT: Final = ("--repl-diskless-sync-delay", "0", "--repl-timeout", "5")
"""A master does not let a replica that comes back wait for others that might."""


@dataclass(frozen=True, kw_only=True)
class ReplicatedRedis:
    """Two redis-servers, the second one initially a replica of the first; clients ask the one that says it is the master.

    Every write is on the master's disk before it is acknowledged. Redis replicates asynchronously: an acknowledged write may
    be lost with the master. With `wait_ms` a write counts as done only when the replica has it, too, according to Redis'
    `WAIT`. That does not make Redis linearizable: others read a write before the replica has it.
    """

    wait_ms: int = 0
    """How long a write waits for the replica; 0: not at all. If the replica does not have it by then, its fate is unknown."""

    def __post_init__(self) -> None:
        if self.wait_ms < 0:
            raise UsageError(f"ReplicatedRedis(wait_ms={self.wait_ms!r}): milliseconds, or 0.")

    def nodes(self) -> Sequence[Node]:
        command = (
            SERVER, "{data}/redis.conf", "--bind", "{host}", "--protected-mode", "no", "--port", "{port}", "--dir", "{data}",
            "--save", "", "--appendonly", "yes", "--appendfsync", "always", *_PROMPT,
        )  # fmt: skip
        return [
            Node(name=name, command=command, peers=(peer,), setup="systems.foreign.redis_start")
            for name, peer in zip(_NAMES, reversed(_NAMES), strict=True)
        ]

    def entries(self) -> Sequence[str]:
        return _NAMES

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        return ReplicatedRedisClient(list(entries.items()), wait_ms=self.wait_ms)

    def missing(self) -> str | None:
        return Redis().missing()

    async def probe(self, address: Address) -> None:
        await Redis().probe(address)

    async def leads(self, address: Address) -> bool:
        return await _role(address) == "master"

    async def promote(self, address: Address) -> None:
        """`REPLICAOF NO ONE`, also for later starts."""
        from redis.exceptions import RedisError

        server = connected_to(address)
        try:
            await server.execute_command("REPLICAOF", "NO", "ONE")  # type: ignore[no-untyped-call]
            await server.config_rewrite()
        except RedisError as error:
            raise ConnectionError(str(error)) from error
        finally:
            await server.aclose()

    async def leader(self, addresses: Mapping[str, Address]) -> str:
        """The master. Raises `ConnectionError` if no server says that it is the master, or if both do."""
        masters = []
        for name, address in addresses.items():
            with contextlib.suppress(OSError):  # it does not answer
                if await self.leads(address):
                    masters.append(name)
        if len(masters) != 1:
            raise ConnectionError(f"{' and '.join(masters) or 'no server'} says that it is the master")
        return masters[0]


class NotReplicated(Exception):
    """The master has a write, and may be the only one that does."""


class ReplicatedRedisClient:
    """Asks one server, and switches to the other one if that is not the master, or does not answer."""

    def __init__(self, entries: Sequence[tuple[str, Address]], *, wait_ms: int) -> None:
        self._entries = entries
        self._wait_ms = wait_ms
        self._at = 0
        self._server: RedisConnection | None = None

    async def invoke(self, call: Call) -> Answer:
        if call.kind not in ("read", "write") or (call.kind == "write" and call.value is None):
            raise CallFailed(f"Redis takes reads, and writes with a value; this call is {call}")
        name, server = await self._master()
        done = False
        try:
            answer, replicas = await self._carried_out(call, name, server)
            done = True
        finally:
            if not done:  # also if the caller gave up
                await self._leave()
        if not replicas:
            raise NotReplicated(f"{name} has it; no replica within {self._wait_ms} ms")
        return answer

    async def close(self) -> None:
        if self._server is not None:
            await self._server.aclose()

    async def _carried_out(self, call: Call, name: str, server: RedisConnection) -> tuple[Answer, int]:
        """The answer, and the number of replicas that have acknowledged the write; 1 if the call does not wait for them."""
        from redis.exceptions import RedisError, ResponseError

        try:
            if call.kind == "read":
                value = await server.get(call.key)
                return Answer(None if value is None else str(value), name), 1
            await server.set(call.key, str(call.value))
            return Answer(None, name), int(await server.wait(1, self._wait_ms)) if self._wait_ms else 1
        except ResponseError as error:  # the server refused it, as a replica does
            raise CallFailed(f"{name}: {error}") from error
        except RedisError as error:
            raise (CallFailed if call.kind == "read" else ConnectionError)(f"{name}: {error}") from error

    async def _master(self) -> tuple[str, RedisConnection]:
        """A connection to the current server if it says that it is the master. Raises `CallFailed` if it does not."""
        from redis.exceptions import RedisError

        name, address = self._entries[self._at]
        if self._server is None:
            self._server = connected_to(address)
            known = False
            try:
                role = (await self._server.execute_command("ROLE"))[0]  # type: ignore[no-untyped-call]
                known = role == "master"
            except RedisError as error:
                raise CallFailed(f"{name}: {error}") from error
            finally:
                if not known:
                    await self._leave()
            if not known:
                raise CallFailed(f"{name} is not a master, but a {role}")
        return name, self._server

    async def _leave(self) -> None:
        server, self._server = self._server, None
        self._at = (self._at + 1) % len(self._entries)
        if server is not None:
            await server.aclose()


async def _role(address: Address) -> str:
    from redis.exceptions import RedisError

    server = connected_to(address)
    try:
        return str((await server.execute_command("ROLE"))[0])  # type: ignore[no-untyped-call]
    except RedisError as error:
        raise ConnectionError(str(error)) from error
    finally:
        await server.aclose()
