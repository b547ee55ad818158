"""One proxy: a listener, its upstream, its toxics and its connections."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator

from faults.plane import address
from faults.plane.address import AddressError, Endpoint
from faults.plane.chains import Chains
from faults.plane.connection import Connection
from faults.plane.end import End
from faults.plane.errors import ApiError
from faults.plane.link import Link
from faults.plane.metrics import ByteCounter, Labels
from faults.plane.timers import Timers
from faults.plane.toxic import Direction

_BACKLOG = 4096


class Proxy:
    """`listen` is the text that was asked for until the proxy has listened once, then the address it got."""

    def __init__(self, name: str, listen: str, upstream: str, *, timers: Timers, seed: str) -> None:
        self.name = name
        self.listen = listen
        self.upstream = upstream
        self.enabled = False
        self._timers = timers
        self.toxics = Chains(self._links)
        self.connections: set[Connection] = set()
        self.connections_total = 0
        self.bytes: dict[Labels, ByteCounter] = {}
        """By where it listened and what its upstream was at the time."""
        self._seed = seed
        self._server: asyncio.Server | None = None

    @property
    def counters(self) -> tuple[ByteCounter, ByteCounter]:
        """Of the upstream and the downstream direction, as the proxy is set up now."""
        up = self.bytes.setdefault(Labels("upstream", self.listen, self.name, self.upstream), ByteCounter())
        down = self.bytes.setdefault(Labels("downstream", self.listen, self.name, self.upstream), ByteCounter())
        return up, down

    async def start(self) -> None:
        """Listen. Raises `ApiError` with the reason in Go's words; does nothing when it listens already."""
        if self.enabled:
            return
        try:
            wanted = await address.resolve(self.listen)
        except AddressError as error:
            raise ApiError(f"listen tcp: {error}") from error
        sock = _bound(wanted)
        self.listen = str(Endpoint(*sock.getsockname()[:2]))
        self._server = await asyncio.get_running_loop().create_server(self._accept, sock=sock, backlog=_BACKLOG)
        self.enabled = True
        self.counters  # noqa: B018 - metrics show them from now on

    async def stop(self) -> None:
        """Stop listening, then close every connection; all are closed when this returns. Toxics stay."""
        self.enabled = False
        if self._server is not None:
            self._server.close()
            self._server = None
            await asyncio.sleep(0)  # for those accepted in this turn of the loop to show up
        for connection in list(self.connections):
            connection.abort()
        while self.connections:
            await asyncio.sleep(0)  # the transports close their sockets in the loop's next turn

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
            return self.listen != str(await address.resolve(listen)) or self.upstream != upstream
        except AddressError as error:
            raise ApiError(str(error)) from error

    def _accept(self) -> End:
        self.connections_total += 1
        return Connection(
            self.upstream,
            toxics=self.toxics,
            timers=self._timers,
            counters=self.counters,
            seed=f"{self._seed}/{self.name}/{self.connections_total}",
            open_connections=self.connections,
        ).client

    def _links(self, direction: Direction) -> Iterator[Link]:
        index = 0 if direction == "upstream" else 1
        for connection in list(self.connections):
            if connection.links is not None:
                yield connection.links[index]


def _bound(endpoint: Endpoint) -> socket.socket:
    family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        sock.bind(endpoint)
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        reason = os.strerror(error.errno or 0).lower()
        raise ApiError(f"listen tcp {endpoint}: bind: {reason}") from error
    return sock
