"""One end of a simulated TCP connection, as asyncio's protocols see it.

Bytes that arrive while the process is busy, stopped, or not reading queue up in the kernel, and come in one read.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Mapping
from typing import Any, Final, Protocol

from harness.model.system import Address
from harness.simulation.loop import HostLoop
from harness.simulation.server import SimulatedSocket

_HIGH_BYTES: Final = 256 * 1024
"""This much may be on its way, or unread by the other end, before the writer has to pause."""

_LOW_BYTES: Final = 64 * 1024


class Outgoing(Protocol):
    """The destination to which an end writes."""

    def send(self, data: bytes) -> None: ...

    def send_end(self) -> None:
        """Say that no more will be sent."""

    def acknowledge(self, length: int) -> None:
        """This end has read `length` bytes from the other side."""


class End(asyncio.Transport):
    """See the module. It belongs to one life of a host."""

    def __init__(self, loop: HostLoop) -> None:
        super().__init__()
        self.loop = loop
        self.lost = False
        """Whether the socket is gone."""
        self._out: Outgoing | None = None
        self._told: Mapping[str, object] = {}
        """See `get_extra_info`."""
        self._eof_written = False
        self._protocol: asyncio.Protocol | None = None
        self._closing = False
        self._unread: list[bytes] = []
        self.ended = False
        """Whether the other end has said that it sends no more."""
        self._reading = True
        self._read_due = False
        self._unacknowledged = 0
        self._paused = False

    # ---------------------------------------------------------------------------------------------------- from the network

    def join(self, out: Outgoing, own: Address, others: Address) -> None:
        """Set the destination of writes, and the addresses of both ends."""
        addresses = {"sockname": own, "peername": others}
        self._out, self._told = out, {**addresses, "socket": SimulatedSocket(addresses)}

    def open(self, protocol: asyncio.Protocol) -> None:
        """The connection is open: tell the protocol, and pass on what has already arrived."""
        self._protocol = protocol
        protocol.connection_made(self)
        self._read_soon()

    def receive(self, data: bytes) -> bool:
        """Bytes have arrived; False if the socket is gone."""
        if self.lost or self.loop.dead or (self._closing and self._protocol is None):
            return False
        self._unread.append(data)
        self._read_soon()
        return True

    def receive_end(self) -> None:
        """The other end sends no more."""
        if not self.lost and not self.ended:
            self.ended = True
            self._read_soon()

    def receive_reset(self) -> None:
        """The other end knows no such connection."""
        if not self.lost:
            self.loop.deliver(self._lose, ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"))

    def acknowledge(self, length: int) -> None:
        """The other end has read `length` bytes."""
        self._unacknowledged -= length
        if self._paused and self._unacknowledged <= _LOW_BYTES and not self.lost:
            self._paused = False
            if self._protocol is not None:
                self.loop.deliver(self._protocol.resume_writing)

    def vanish(self) -> None:
        """Its process has ended."""
        self.lost = True

    # ------------------------------------------------------------------------------------------------------ from protocols

    def write(self, data: Any) -> None:
        loop = self.loop
        if self._eof_written:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._closing or self.lost or loop.dead or not data or self._out is None:
            return
        data = bytes(data)
        self._unacknowledged += len(data)
        loop.tell(self._out.send, data)
        loop.host.count("send")
        if self._unacknowledged > _HIGH_BYTES and not self._paused and self._protocol is not None:
            self._paused = True
            self._protocol.pause_writing()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        """Say that no more will be sent, and go on reading."""
        if not self._closing and not self.lost and not self._eof_written and self._out is not None:
            self._eof_written = True
            self.loop.tell(self._out.send_end)

    def is_closing(self) -> bool:
        return self._closing or self.lost

    def close(self) -> None:
        """Close the connection after everything written is sent. If the process is dead, its kernel has closed it."""
        if not self._closing and not self.lost and not self.loop.dead:
            self._closing = True
            if self._out is not None:
                self.loop.tell(self._out.send_end)
            self.loop.call_soon(self._lose, None)

    def abort(self) -> None:
        self.close()

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True
        self._read_soon()

    def is_reading(self) -> bool:
        return self._reading and not self._closing

    def get_write_buffer_size(self) -> int:
        return self._unacknowledged

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Do nothing: the network has its own limits."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._told.get(name, default)

    # ------------------------------------------------------------------------------------------------------------- reading

    def _read_soon(self) -> None:
        if not self._read_due and self._reading and self._protocol is not None and (self._unread or self.ended):
            self._read_due = True
            self.loop.deliver(self._read)

    def _read(self) -> None:
        self._read_due = False
        protocol = self._protocol
        if self.lost or self._closing or not self._reading or protocol is None:
            return
        if self._unread:
            parts, self._unread = self._unread, []
            data = parts[0] if len(parts) == 1 else b"".join(parts)
            if self._out is not None:
                self._out.acknowledge(len(data))
            protocol.data_received(data)
            if self.ended:
                self._read_soon()
            return
        if self.ended and not protocol.eof_received():  # asyncio closes the transport unless the protocol says to keep it
            self.close()

    def _lose(self, error: Exception | None) -> None:
        if not self.lost:
            self.lost = True
            self.loop.host.network.gone(self)
            if self._protocol is not None:
                self._protocol.connection_lost(error)
