"""One node of the quorum store: a replica of every key, and a coordinator for whoever asks it.

GET /kv/KEY                      200 {"value": …}, 503 where no quorum answered
PUT /kv/KEY {"value": …}         200 when a write quorum has it on disk; 503: it surely had no effect; 504: it may have
POST /replica/query, /store      between nodes
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import unquote

import msgspec

from harness.node import Node
from harness.wire import Client, Request, Response, WireError
from systems.quorum import log as disk_log
from systems.quorum.bugs import rules_of
from systems.quorum.protocol import Entry, Phase, Version, Versions, needs_write_back

PHASE_TIMEOUT_S: Final = 0.35
"""How long a phase waits for its quorum. Two phases are over well before a client gives up."""

ASK_AGAIN_S: Final = 0.12
"""A replica that has not answered after this long is asked a second time: its connection may have died under the first."""

MAX_IN_FLIGHT: Final = 128
"""Requests to one peer at a time; one that is cut off must not gather more and more of them."""

CLOCK_SKEW_S: Final = 0.25


class Config(msgspec.Struct, frozen=True):
    """A node's settings."""

    read: int
    write: int
    bug: str | None = None


class Value(msgspec.Struct, frozen=True):
    """The body of a PUT, and of the answer to a GET."""

    value: str | None


class Query(msgspec.Struct, frozen=True):
    """Ask a replica what it holds of a key."""

    key: str


class Store(msgspec.Struct, frozen=True):
    """Give a replica an entry."""

    key: str
    version: Version
    value: str | None


class Held(msgspec.Struct, frozen=True):
    """What a replica holds of a key."""

    version: Version
    value: str | None


class NoQuorum(Exception):
    """A phase ended without its quorum."""


class Coordinator:
    """Carries out reads and writes over all replicas, its own among them."""

    def __init__(self, node: Node, config: Config) -> None:
        self._node = node
        self._config = config
        self._rules = rules_of(config.bug)
        self._replica, start = disk_log.load(node.disk)
        self._log = disk_log.Log(node.disk, self._replica.store)
        self._versions = Versions(node.name, start)
        self._peers = {name: Client(address) for name, address in node.peers.items()}
        self._in_flight = dict.fromkeys(self._peers, 0)
        self._asking: set[asyncio.Task[None]] = set()
        self._skew_s = node.random.uniform(-CLOCK_SKEW_S, CLOCK_SKEW_S)

    # ---------------------------------------------------------------------------------------------------- as a replica

    def query(self, key: str) -> Entry:
        return self._replica.query(key)

    async def store(self, key: str, entry: Entry) -> None:
        """Return when the entry, or a newer one, is on this node's disk."""
        if not self._rules.keep_newest:
            self._replica.overwrite(key, entry)
        elif self._replica.is_news(key, entry):
            if self._rules.log_writes:
                await self._log.append(key, entry)
            else:
                self._replica.store(key, entry)

    # ------------------------------------------------------------------------------------------------ as a coordinator

    async def read(self, key: str) -> str | None:
        """The newest value that a read quorum knows. Raises `NoQuorum`."""
        need = self._config.read if self._rules.query_all else 1
        query = await self._phase(need, lambda peer: self._query_peer(peer, key), lambda: self._query_self(key))
        if needs_write_back(query, self._config.write, self._rules):
            await self._store_everywhere(key, query.newest, self._config.write)
        return query.newest.value

    async def choose_version(self, key: str) -> Version:
        """A version above those of all writes that were acknowledged so far. Raises `NoQuorum`; nothing has happened then."""
        match self._rules.version_from:
            case "clock":
                return self._versions.above(round((self._node.clock() + self._skew_s) * 1e6))
            case "self":
                return self._versions.above(self._replica.query(key).version.counter)
            case "quorum":
                query = await self._phase(
                    self._config.read, lambda peer: self._query_peer(peer, key), lambda: self._query_self(key)
                )
                return self._versions.above(query.newest.version.counter)

    async def write(self, key: str, entry: Entry) -> None:
        """Return when a write quorum has the entry on disk. Raises `NoQuorum`: then some may have it, or get it yet."""
        await self._store_everywhere(key, entry, self._config.write if self._rules.wait_for_quorum else 1)

    async def _store_everywhere(self, key: str, entry: Entry, need: int) -> None:
        await self._phase(need, lambda peer: self._store_peer(peer, key, entry), lambda: self._store_self(key, entry))

    async def _phase(
        self, need: int, ask_peer: Callable[[str], Awaitable[Entry]], ask_self: Callable[[], Awaitable[Entry]]
    ) -> Phase:
        """Ask every replica, and wait until enough have answered; the rest go on being asked, but nobody waits for them."""
        phase = Phase(need=need, rules=self._rules)
        complete = asyncio.Event()

        async def ask(replica: str) -> None:
            try:
                entry = await (ask_self() if replica == self._node.name else ask_peer(replica))
            except (WireError, OSError):
                return
            if phase.answered(replica, entry):
                complete.set()

        replicas = [self._node.name, *self._peers]
        for replica in replicas:
            self._start(ask(replica))
        try:
            async with asyncio.timeout(PHASE_TIMEOUT_S):
                if not await _set_within(complete, ASK_AGAIN_S):
                    for replica in replicas:
                        if self._rules.count_answers or replica not in phase.replicas:
                            self._start(ask(replica))
                await complete.wait()
        except TimeoutError as error:
            answered = ", ".join(sorted(phase.replicas)) or "nobody"
            raise NoQuorum(f"{need} of {len(replicas)} replicas are needed; answered: {answered}") from error
        return phase

    def _start(self, asking: Awaitable[None]) -> None:
        task = asyncio.ensure_future(asking)
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _query_self(self, key: str) -> Entry:
        return self.query(key)

    async def _store_self(self, key: str, entry: Entry) -> Entry:
        await self.store(key, entry)
        return entry

    async def _query_peer(self, peer: str, key: str) -> Entry:
        held = (await self._call(peer, "/replica/query", Query(key))).decode(Held)
        return Entry(held.version, held.value)

    async def _store_peer(self, peer: str, key: str, entry: Entry) -> Entry:
        await self._call(peer, "/replica/store", Store(key, entry.version, entry.value))
        return entry

    async def _call(self, peer: str, path: str, body: msgspec.Struct) -> Response:
        if self._in_flight[peer] >= MAX_IN_FLIGHT:
            raise WireError(f"{MAX_IN_FLIGHT} requests to {peer} are in flight already")
        self._in_flight[peer] += 1
        try:
            response = await self._peers[peer].request("POST", path, msgspec.json.encode(body), timeout_s=PHASE_TIMEOUT_S)
        finally:
            self._in_flight[peer] -= 1
        if response.status != 200:
            raise WireError(f"{peer} answered {response.status}")
        return response


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


async def main(node: Node) -> None:
    """Run one node."""
    config = node.config(Config)
    coordinator = Coordinator(node, config)
    rules = rules_of(config.bug)

    async def get(key: str) -> Response:
        try:
            return Response.json(Value(await coordinator.read(key)))
        except NoQuorum as error:
            return Response.json({"error": str(error)}, status=503)

    async def put(key: str, value: str | None) -> Response:
        try:
            version = await coordinator.choose_version(key)
        except NoQuorum as error:
            return Response.json({"error": str(error)}, status=503)
        try:
            await coordinator.write(key, Entry(version, value))
        except NoQuorum as error:
            return Response.json({"error": str(error)}, status=503 if rules.timeout_is_failure else 504)
        return Response.json({"version": version})

    async def handle(request: Request) -> Response:
        match request.method, request.path:
            case "POST", "/replica/query":
                return Response.json(coordinator.query(request.decode(Query).key)._asdict())
            case "POST", "/replica/store":
                store = request.decode(Store)
                await coordinator.store(store.key, Entry(store.version, store.value))
                return Response.json({})
            case "GET", path if path.startswith("/kv/"):
                return await get(unquote(path.removeprefix("/kv/")))
            case "PUT", path if path.startswith("/kv/"):
                return await put(unquote(path.removeprefix("/kv/")), request.decode(Value).value)
            case _:
                return Response(404, b"there are /kv/KEY, /replica/query and /replica/store")

    await node.serve(handle)
