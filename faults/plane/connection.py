"""One client's connection: its end, the upstream's end, and the two links between them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Final, cast

from faults.plane import address
from faults.plane.link import Link
from faults.plane.metrics import ByteCounter
from faults.plane.timers import now_ns
from faults.plane.toxic import Chunk
from faults.plane.toxics_of_proxy import Toxic, release

if TYPE_CHECKING:
    from faults.plane.proxy import Proxy

_LINGER_NONE: Final = struct.pack("ii", 1, 0)


class End(asyncio.Protocol):
    """One of the two sockets. Bytes read from it go wherever `forward` says; `feed` and `write` send to it."""

    transport: asyncio.Transport
    forward: Callable[[bytes], None]
    write: Callable[[bytes], None]
    outgoing: Link
    """The link that its bytes go into."""
    incoming: Link
    """The link whose bytes it gets."""

    def __init__(self, connection: Connection, received: ByteCounter, sent: ByteCounter) -> None:
        self._connection = connection
        self._received = received
        self._sent = sent
        self._linked = False
        self._early: list[bytes] = []
        self._early_end = False
        self.forward = self._early.append
        self.lost = False
        self.blocked = False
        """Whether something waits to be written to it."""

    # ------------------------------------------------------------------------------------------------- from the socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=0)  # write at once, not at the end of the loop's turn
        self.write = self.transport.write
        self._connection.made(self)

    def data_received(self, data: bytes) -> None:
        self._received.received += len(data)
        self.forward(data)

    def eof_received(self) -> bool:
        if self._linked:
            self.outgoing.end()
        else:
            self._early_end = True
        return True  # the other stream goes on until its own end comes

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        if self._linked:
            self.incoming.sink_lost()
            self.outgoing.end()
        else:
            self._early_end = True
        self._connection.one_lost()

    def pause_writing(self) -> None:
        self.blocked = True
        if self._linked:
            self.incoming.balance()

    def resume_writing(self) -> None:
        self.blocked = False
        if self._linked:
            self.incoming.balance()

    # -------------------------------------------------------------------------------------------------- from the links

    def link(self, outgoing: Link, incoming: Link) -> None:
        self.outgoing = outgoing
        self.incoming = incoming
        self._linked = True

    def catch_up(self) -> None:
        """Send on what came before there was a link."""
        for data in self._early:
            self.forward(data)
        self._early.clear()
        if self._early_end:
            self.outgoing.end()

    def feed(self, chunk: Chunk) -> None:
        if not self.transport.is_closing():
            self._sent.withheld -= len(chunk.data)
            self.write(chunk.data)

    def end(self) -> None:
        """Nothing more comes for it: close it fully, as Toxiproxy does, once all is written."""
        self.transport.close()

    def unwritten_bytes(self) -> int:
        return 0 if self.lost else self.transport.get_write_buffer_size()

    def pause(self) -> None:
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def resume(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def reset_at_close(self) -> None:
        if not self.lost:
            sock = self.transport.get_extra_info("socket")
            with contextlib.suppress(OSError):  # the socket is gone: so is the connection
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)


class Connection:
    """From a client's connect to the end of both sockets."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._up, self._down = proxy.counters
        self._seed = proxy.next_connection_seed()
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
            self._proxy.connections.add(self)
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
            self._proxy.connections.discard(self)

    async def _connect(self) -> None:
        try:
            if not await self._let_connect():
                return
            host, port = address.split(self._proxy.upstream)
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
        for toxic in self._proxy.toxics.all():
            if toxic not in self._proxy.toxics.all():
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
        timer = self._proxy.timers.at(now_ns() + wait_ns, lambda: release(released))
        toxic.waiting.add(released)
        try:
            await released
        finally:
            timer.cancel()
            toxic.waiting.discard(released)

    def _join(self, server: End) -> None:
        client, timers, toxics = self.client, self._proxy.timers, self._proxy.toxics
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
