"""What a simulated loop's `create_server` returns, and what stands for the sockets of connections and servers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from typing import Final, Protocol

from harness.model.system import Address
from harness.simulation.loop import HostLoop


class SimulatedSocket:
    """See `asyncio.trsock.TransportSocket`: addresses, and options that have no effect."""

    family: Final = socket.AF_INET
    type: Final = socket.SOCK_STREAM

    def __init__(self, addresses: Mapping[str, Address]) -> None:
        """`addresses`: "sockname", and "peername" if it is connected."""
        self._addresses = addresses

    def getsockname(self) -> Address:
        return self._addresses["sockname"]

    def getpeername(self) -> Address:
        return self._addresses["peername"]

    def setsockopt(self, *_: object) -> None:
        """Do nothing: there is no kernel to tell."""


class Listening(Protocol):
    """The network, as a server uses it."""

    def stop_listening(self, loop: HostLoop, address: Address) -> None:
        """Accept no more connections there."""


class Server:
    """See `asyncio.Server`."""

    def __init__(self, network: Listening, loop: HostLoop, address: Address) -> None:
        self._network = network
        self._loop = loop
        self._address = address
        self._closed = False
        self._serving: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(self, *error: object) -> None:
        self.close()

    @property
    def sockets(self) -> tuple[SimulatedSocket, ...]:
        return () if self._closed else (SimulatedSocket({"sockname": self._address}),)

    def is_serving(self) -> bool:
        return not self._closed

    def close(self) -> None:
        self._closed = True
        self._network.stop_listening(self._loop, self._address)
        if self._serving is not None:
            self._serving.cancel()

    async def wait_closed(self) -> None:
        """Return at once: nothing is left to wait for."""

    async def start_serving(self) -> None:
        """Do nothing: it serves from the beginning."""

    async def serve_forever(self) -> None:
        self._serving = self._loop.create_future()
        try:
            await self._serving
        finally:
            self._serving = None
            self.close()
