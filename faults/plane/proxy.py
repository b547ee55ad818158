"""One proxy: its listener, upstream, toxics and connections."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from faults.plane import address
from faults.plane.address import AddressError, Endpoint
from faults.plane.chains import Chains
from faults.plane.connection import Connection
from faults.plane.descriptors import Descriptors
from faults.plane.dialing import NO_DESCRIPTORS, DialError, dial
from faults.plane.errors import ApiError
from faults.plane.failures import Failures
from faults.plane.link import Link
from faults.plane.listener import Listener, bound
from faults.plane.metrics import ByteCounter, Labels, ProxyFigures
from faults.plane.resolver import Resolver
from faults.plane.timers import Timers
from faults.plane.toxic import Direction


@dataclass(frozen=True, slots=True)
class Means:
    """The resources that all proxies of a server share."""

    timers: Timers
    resolver: Resolver
    descriptors: Descriptors
    seed: int


class Proxy:
    """`listen` is the requested text until the proxy has listened once; from then on it is the actual address."""

    def __init__(self, name: str, listen: str, upstream: str, means: Means, make_room: Callable[[], bool]) -> None:
        """`make_room` tries to free descriptors and returns whether it has."""
        self.name = name
        self.listen = listen
        self.upstream = upstream
        self.timers = means.timers
        self.toxics = Chains(self._links)
        self.connections: dict[Connection, None] = {}
        self.connections_total = 0
        self.bytes: dict[Labels, ByteCounter] = {}
        """A proxy whose address or upstream has changed has a counter for each."""
        self.failures = Failures(name)
        self._means = means
        self._make_room = make_room
        self._listener: Listener | None = None

    @property
    def enabled(self) -> bool:
        return self._listener is not None

    @property
    def counters(self) -> tuple[ByteCounter, ByteCounter]:
        """The byte counters of the upstream and the downstream stream, for the current addresses."""
        up = self.bytes.setdefault(Labels("upstream", self.listen, self.name, self.upstream), ByteCounter())
        down = self.bytes.setdefault(Labels("downstream", self.listen, self.name, self.upstream), ByteCounter())
        return up, down

    async def start(self) -> None:
        """Start listening, if it does not listen yet. Raises `ApiError` with Go's message."""
        if self.enabled:
            return
        try:
            wanted = await self._resolved(self.listen)
        except AddressError as error:
            raise ApiError(f"listen tcp: {error}") from error
        try:
            sock = bound(wanted, self._means.descriptors)
        except OSError as error:
            raise ApiError(f"listen tcp {wanted}: bind: {os.strerror(error.errno or 0).lower()}") from error
        self._listener = Listener(sock, self._accept, self._means.descriptors, make_room=self._make_room_or_fail)
        self.listen = str(self._listener.address)
        self.counters  # noqa: B018 - creates them, so that metrics show them from now on

    async def stop(self) -> None:
        """Stop listening and close every connection; all are closed when this returns. Toxics stay."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for connection in list(self.connections):
            connection.abort()
        while self.connections:
            await asyncio.sleep(0)  # the transports close their sockets in the loop's next iterations

    async def update(self, listen: str, upstream: str, enabled: bool) -> None:
        """Change the proxy. A new address or upstream drops every connection."""
        if await self.differs(listen, upstream):
            await self.stop()
            self.listen = listen
            self.upstream = upstream
        if enabled:
            await self.start()
        else:
            await self.stop()

    async def differs(self, listen: str, upstream: str) -> bool:
        """Whether the change needs a restart. Raises `ApiError` for an invalid address."""
        try:
            return self.listen != str(await self._resolved(listen)) or self.upstream != upstream
        except AddressError as error:
            raise ApiError(str(error)) from error

    async def dial(self, protocol: asyncio.Protocol) -> None:
        """Connect `protocol` to the upstream. Raises `DialError`."""
        try:
            return await dial(self.upstream, self._means.resolver, protocol)
        except DialError as error:
            if error.reason != NO_DESCRIPTORS or not self._make_room():
                raise
        await asyncio.sleep(0)  # dropped connections are closed in the loop's next iteration
        return await dial(self.upstream, self._means.resolver, protocol)

    def failed(self, reason: str, message: str) -> None:
        """Record a failed connection."""
        self.failures.add(reason, f"a connection failed: {message}")

    def figures(self) -> ProxyFigures:
        """Its counters."""
        return ProxyFigures(
            name=self.name,
            bytes_by_labels=self.bytes.items(),
            connections=self.connections_total,
            failures=self.failures.by_reason,
            hits={toxic.name: toxic.shared.hits for toxic in self.toxics.all()},
        )

    async def _resolved(self, listen: str) -> Endpoint:
        """The numeric address of a `listen` text; IPv4 is preferred to IPv6. Raises `AddressError`."""
        host, port = address.split(listen)
        hosts = await self._means.resolver.hosts(host or address.DEFAULT_HOST)
        return Endpoint(min(hosts, key=lambda host: ":" in host), port)

    def _accept(self, sock: socket.socket) -> None:
        self.connections_total += 1
        Connection(self, sock, f"{self._means.seed}/{self.name}/{self.connections_total}")

    def _make_room_or_fail(self) -> bool:
        if self._make_room():
            return True
        self.failed(NO_DESCRIPTORS, "no file descriptor is left")
        return False

    def _links(self, direction: Direction) -> Iterator[Link]:
        index = 0 if direction == "upstream" else 1
        for connection in list(self.connections):
            if connection.links is not None:
                yield connection.links[index]
