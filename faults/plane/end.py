"""One of the two sockets of a proxied connection."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import Final, Protocol, cast

from faults.plane.kind import Chunk
from faults.plane.link import Link
from faults.plane.metrics import ByteCounter

_LINGER_NONE: Final = struct.pack("ii", 1, 0)


class Owner(Protocol):
    """The connection that an end belongs to."""

    def made(self, end: End) -> None:
        """The socket is connected."""

    def one_lost(self) -> None:
        """The socket is closed."""


class End(asyncio.Protocol):
    """One of the two sockets. Bytes read from it go to `forward`; `feed` and `write` send to it."""

    transport: asyncio.Transport
    forward: Callable[[bytes], None]
    write: Callable[[bytes], None]
    outgoing: Link
    """The link that carries the bytes read from it."""
    incoming: Link
    """The link that carries bytes to it."""

    def __init__(self, owner: Owner, received: ByteCounter, sent: ByteCounter) -> None:
        self._owner = owner
        self._received = received
        self._sent = sent
        self._linked = False
        self._early: list[bytes] = []
        self._early_end = False
        self.forward = self._early.append
        self.lost = False
        self.blocked = False
        """Whether bytes are waiting to be written to it."""
        self._there = False
        self._aborted = False

    # ------------------------------------------------------------------------------------------------- from the socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=0)  # write at once rather than at the end of the loop's turn
        self.write = self.transport.write
        self._there = True
        if self._aborted:
            self.transport.abort()
        else:
            self._owner.made(self)

    def data_received(self, data: bytes) -> None:
        self._received.received += len(data)
        self.forward(data)

    def eof_received(self) -> bool:
        if self._linked:
            self.outgoing.end()
        else:
            self._early_end = True
        return True  # keep the socket open: the other stream goes on

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        if self._linked:
            self.incoming.sink_lost()
            self.outgoing.end()
        else:
            self._early_end = True
        self._owner.one_lost()

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
        """Forward what was read before the links existed."""
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
        """The stream to it has ended: close it in both directions, as Toxiproxy does, once everything is written."""
        self.transport.close()

    def abort(self) -> None:
        """Close it now, or as soon as it is connected. Unwritten bytes are lost."""
        self._aborted = True
        if self._there and not self.lost:
            self.transport.abort()

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
            with contextlib.suppress(OSError):  # the socket is closed already
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
