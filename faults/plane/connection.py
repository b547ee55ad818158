"""A proxied connection: the client's end, the upstream's end, and the two links between them."""

from __future__ import annotations

import asyncio
import socket
from random import Random
from typing import Protocol

from faults.plane.chains import Chains
from faults.plane.dialing import DialError
from faults.plane.end import End
from faults.plane.link import Link
from faults.plane.metrics import ByteCounter
from faults.plane.timers import Timers, now_ns
from faults.plane.toxic import Toxic, release


class Owner(Protocol):
    """The proxy that a connection belongs to."""

    toxics: Chains
    timers: Timers
    connections: dict[Connection, None]
    """The open connections in the order of acceptance."""

    @property
    def counters(self) -> tuple[ByteCounter, ByteCounter]:
        """The byte counters of the upstream and the downstream stream."""

    async def dial(self, protocol: asyncio.Protocol) -> None:
        """Connect a protocol to the upstream. Raises `DialError`."""

    def failed(self, reason: str, message: str) -> None:
        """A connection has failed."""


class Connection:
    """Lives from the acceptance of a client until both sockets are closed."""

    def __init__(self, owner: Owner, sock: socket.socket, seed: str) -> None:
        self._owner = owner
        self._up, self._down = owner.counters
        self._seed = seed
        self.client = End(self, self._up, self._down)
        self.links: tuple[Link, Link] | None = None
        """The upstream and the downstream link, once both ends are connected."""
        self._server: End | None = None
        self._dialling: asyncio.Task[None] | None = None
        owner.connections[self] = None
        self._sock = sock
        self._accepting = asyncio.get_running_loop().create_task(self._accept(sock))

    @property
    def descriptor(self) -> int | None:
        """The file descriptor of the client's socket; None if it is closed."""
        descriptor = self._sock.fileno()
        return descriptor if descriptor >= 0 else None

    def made(self, end: End) -> None:
        """An end is connected. The client's end is not read until the upstream's end is connected too."""
        if end is self.client:
            end.pause()
            self._dialling = asyncio.get_running_loop().create_task(self._connect())
        else:
            self._dialling = None
            self._join(end)

    def abort(self) -> None:
        """Close both sockets now. Unwritten bytes are lost."""
        if self._dialling is not None:
            self._dialling.cancel()
        self.client.abort()
        if self._server is not None:
            self._server.abort()

    def one_lost(self) -> None:
        """An end has lost its socket."""
        if self.links is None:
            self.abort()
        if self.client.lost and (self._server is None or self._server.lost):
            self._owner.connections.pop(self, None)

    async def _accept(self, sock: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: self.client, sock)
        except OSError as error:
            sock.close()
            self.client.lost = True
            self._owner.failed("other", str(error))
            self.one_lost()

    async def _connect(self) -> None:
        try:
            if not await self._let_connect():
                return
            self._server = End(self, self._down, self._up)
            await self._owner.dial(self._server)
        except DialError as error:
            self._owner.failed(error.reason, str(error))
            self.client.transport.close()
        finally:
            self._dialling = None
            if self._server is not None and self.links is None:
                self._server.lost = True
                self.one_lost()

    async def _let_connect(self) -> bool:
        """Wait as long as the connect-phase toxics require. False if one refused the connection; the client is then reset."""
        for toxic in self._owner.toxics.all():
            if toxic not in self._owner.toxics.all():
                continue  # removed while an earlier toxic made us wait
            if toxic.kind.connect is None or not toxic.scope.reaches(toxic.count_connection()):
                continue
            if Random(f"{self._seed}/connect/{toxic.name}").random() >= toxic.toxicity:
                continue
            wait_ns = toxic.kind.connect(toxic.attributes)
            toxic.shared.hits += wait_ns is None or wait_ns > 0
            if wait_ns is None:
                self.client.reset_at_close()
                self.client.transport.abort()
                return False
            await self._wait(wait_ns, toxic)
        return True

    async def _wait(self, wait_ns: int, toxic: Toxic) -> None:
        """Wait until the time has passed or the toxic is removed."""
        released = asyncio.get_running_loop().create_future()
        timer = self._owner.timers.at(now_ns() + wait_ns, lambda: release(released))
        toxic.waiting.add(released)
        try:
            await released
        finally:
            timer.cancel()
            toxic.waiting.discard(released)

    def _join(self, server: End) -> None:
        client, timers, toxics = self.client, self._owner.timers, self._owner.toxics
        up = Link(client, server, self._up, timers, f"{self._seed}/upstream")
        down = Link(server, client, self._down, timers, f"{self._seed}/downstream")
        client.link(up, down)
        server.link(down, up)
        self.links = up, down
        up.begin(toxics.chain("upstream"))
        down.begin(toxics.chain("downstream"))
        client.resume()
        client.catch_up()
