"""One client's connection: its end, the upstream's end, and the two links between them."""

from __future__ import annotations

import asyncio
from random import Random

from faults.plane import address
from faults.plane.chains import Chains
from faults.plane.end import End
from faults.plane.link import Link
from faults.plane.metrics import ByteCounter
from faults.plane.timers import Timers, now_ns
from faults.plane.toxic import Toxic, release


class Connection:
    """From a client's connect to the end of both sockets."""

    def __init__(
        self,
        upstream: str,
        *,
        toxics: Chains,
        timers: Timers,
        counters: tuple[ByteCounter, ByteCounter],
        seed: str,
        open_connections: set[Connection],
    ) -> None:
        """`counters` are those of the upstream and the downstream stream. While it lives it is in `open_connections`."""
        self._upstream = upstream
        self._toxics = toxics
        self._timers = timers
        self._up, self._down = counters
        self._seed = seed
        self._open_connections = open_connections
        self.client = End(self, self._up, self._down)
        self.links: tuple[Link, Link] | None = None
        """The upstream and the downstream one, once both ends are there."""
        self._server: End | None = None
        self._dial: asyncio.Task[None] | None = None
        self._aborted = False

    def made(self, end: End) -> None:
        """A socket is there. The client's makes us connect to the upstream; until that is done nothing is read from it."""
        if self._aborted:
            end.transport.abort()
        elif end is self.client:
            end.pause()
            self._open_connections.add(self)
            self._dial = asyncio.get_running_loop().create_task(self._connect())
        else:
            self._server = end

    def abort(self) -> None:
        """Close both sockets now; what has not been written is lost."""
        self._aborted = True
        if self._dial is not None:
            self._dial.cancel()
        for end in (self.client, self._server):
            if end is not None and not end.lost:
                end.transport.abort()

    def one_lost(self) -> None:
        """An end is gone."""
        if self.links is None and self._dial is not None:
            self.abort()
        if self.client.lost and (self._server is None or self._server.lost):
            self._open_connections.discard(self)

    async def _connect(self) -> None:
        try:
            if not await self._let_connect():
                return
            host, port = address.split(self._upstream)
            _, server = await asyncio.get_running_loop().create_connection(
                lambda: End(self, self._down, self._up), host or address.DEFAULT_HOST, port
            )
        except (OSError, UnicodeError, address.AddressError):
            self.client.transport.close()
        else:
            self._join(server)
        finally:
            self._dial = None
            if self._server is not None and self.links is None:
                # Cancelled between the server's `connection_made` and here: uvloop closes that socket without a word to it.
                self._server.lost = True
                self.one_lost()

    async def _let_connect(self) -> bool:
        """Wait as the toxics of the connect phase ask; False where one refuses, and has reset the client."""
        for toxic in self._toxics.all():
            if toxic not in self._toxics.all():
                continue  # removed while one before it made us wait
            if toxic.kind.connect is None or Random(f"{self._seed}/connect/{toxic.name}").random() >= toxic.toxicity:
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
        """Until the time is over or the toxic is removed."""
        released = asyncio.get_running_loop().create_future()
        timer = self._timers.at(now_ns() + wait_ns, lambda: release(released))
        toxic.waiting.add(released)
        try:
            await released
        finally:
            timer.cancel()
            toxic.waiting.discard(released)

    def _join(self, server: End) -> None:
        client, timers, toxics = self.client, self._timers, self._toxics
        up = Link(client, server, self._up, timers, f"{self._seed}/upstream")
        down = Link(server, client, self._down, timers, f"{self._seed}/downstream")
        client.link(up, down)
        server.link(down, up)
        self.links = up, down
        up.begin(toxics.chain("upstream"))
        down.begin(toxics.chain("downstream"))
        server.catch_up()
        client.resume()
        client.catch_up()
