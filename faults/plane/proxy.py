"""One proxy: a listener, its upstream, its toxics and its connections."""

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
    """What all proxies of a server share."""

    timers: Timers
    resolver: Resolver
    descriptors: Descriptors
    seed: int


class Proxy:
    """`listen` is the text that was asked for until the proxy has listened once, then the address it got."""

    def __init__(self, name: str, listen: str, upstream: str, means: Means, make_room: Callable[[], bool]) -> None:
        """`make_room` frees some descriptors if it can, and says whether it has."""
        self.name = name
        self.listen = listen
        self.upstream = upstream
        self.timers = means.timers
        self.toxics = Chains(self._links)
        self.connections: dict[Connection, None] = {}
        self.connections_total = 0
        self.bytes: dict[Labels, ByteCounter] = {}
        """By where it listened and what its upstream was at the time."""
        self.failures = Failures(name)
        self._means = means
        self._make_room = make_room
        self._listener: Listener | None = None

    @property
    def enabled(self) -> bool:
        return self._listener is not None

    @property
    def counters(self) -> tuple[ByteCounter, ByteCounter]:
        """Of the upstream and the downstream direction, as the proxy is set up now."""
        up = self.bytes.setdefault(Labels("upstream", self.listen, self.name, self.upstream), ByteCounter())
        down = self.bytes.setdefault(Labels("downstream", self.listen, self.name, self.upstream), ByteCounter())
        return up, down

    async def start(self) -> None:
        """Listen, unless it does. Raises `ApiError` with the reason in Go's words."""
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
        self.counters  # noqa: B018 - metrics show them from now on

    async def stop(self) -> None:
        """Stop listening, then close every connection; all are closed when this returns. Toxics stay."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for connection in list(self.connections):
            connection.abort()
        while self.connections:
            await asyncio.sleep(0)  # the transports close their sockets in the loop's next turns

    async def update(self, listen: str, upstream: str, enabled: bool) -> None:
        """Become what is asked; a change of address drops every connection."""
        if await self.differs(listen, upstream):
            await self.stop()
            self.listen = listen
            self.upstream = upstream
        if enabled:
            await self.start()
        else:
            await self.stop()

    async def differs(self, listen: str, upstream: str) -> bool:
        """Whether it would have to be restarted to become this. Raises `ApiError` for an address that makes no sense."""
        try:
            return self.listen != str(await self._resolved(listen)) or self.upstream != upstream
        except AddressError as error:
            raise ApiError(str(error)) from error

    async def dial(self, protocol: asyncio.Protocol) -> None:
        """Connect a protocol to the upstream. Raises `DialError`."""
        try:
            return await dial(self.upstream, self._means.resolver, protocol)
        except DialError as error:
            if error.reason != NO_DESCRIPTORS or not self._make_room():
                raise
        await asyncio.sleep(0)  # what makes room is closed in the loop's next turn
        return await dial(self.upstream, self._means.resolver, protocol)

    def failed(self, reason: str, message: str) -> None:
        """A connection has failed."""
        self.failures.add(reason, f"a connection failed: {message}")

    def figures(self) -> ProxyFigures:
        """What it has counted."""
        return ProxyFigures(
            name=self.name,
            bytes_by_labels=self.bytes.items(),
            connections=self.connections_total,
            failures=self.failures.by_reason,
            hits={toxic.name: toxic.shared.hits for toxic in self.toxics.all()},
        )

    async def _resolved(self, listen: str) -> Endpoint:
        """The numeric address that a `listen` text stands for, IPv4 before IPv6. Raises `AddressError`."""
        host, port = address.split(listen)
        hosts = await self._means.resolver.hosts(host or address.DEFAULT_HOST)
        return Endpoint(min(hosts, key=lambda host: ":" in host), port)

    def _accept(self, sock: socket.socket) -> None:
        self.connections_total += 1
        Connection(self, sock, f"{self._means.seed}/{self.name}/{self.connections_total}")

    def _make_room_or_fail(self) -> bool:
        if self._make_room():
            return True
        self.failed(NO_DESCRIPTORS, "no file descriptor is left for it")
        return False

    def _links(self, direction: Direction) -> Iterator[Link]:
        index = 0 if direction == "upstream" else 1
        for connection in list(self.connections):
            if connection.links is not None:
                yield connection.links[index]
