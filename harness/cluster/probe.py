"""Probe a node from outside: whether it answers, how long it takes, what its clock shows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from harness.http.client import HttpClient
from harness.http.message import TransportError
from harness.model.errors import FaultError
from harness.model.system import CLIENT, Address, HasClock, HasProbe, Node, System
from harness.node.context import NODE_PATH, NodePage

PROBE_TIMEOUT_S: Final = 1.0
"""How long one probe of a starting node may take …"""
ASK_AGAIN_S: Final = 0.004
"""… and the pause before the next."""
_IDENTITY_TIMEOUT_S: Final = 30.0
"""The caller's own timeout is shorter."""


class Probe:
    """Probes the nodes of one system."""

    def __init__(self, system: System, nodes: Mapping[str, Node], address_of: Callable[[str], Address]) -> None:
        self._system = system
        self._nodes = nodes
        self._address_of = address_of

    async def ask(self, name: str, address: Address) -> int | None:
        """Wait for a node to answer at an address. Returns its pid if known. Raises what connecting or the probe raises."""
        if isinstance(self._system, HasProbe) and name != CLIENT:
            await self._system.probe(address)
            return None
        if name != CLIENT and self._nodes[name].code is None:
            _, writer = await asyncio.open_connection(*address)
            writer.close()
            return None
        return (await self._identity(address, _IDENTITY_TIMEOUT_S)).pid

    async def answer_ms(self, name: str, address: Address, timeout_s: float) -> float:
        """How long a node takes to answer at an address on a new connection, in ms. Raises `FaultError` if it does not."""
        if self._nodes[name].code is None and not isinstance(self._system, HasProbe):
            raise FaultError(f"{name} cannot be probed: give {type(self._system).__name__} a method `probe`")
        clock = asyncio.get_running_loop().time
        started_s = clock()
        try:
            async with asyncio.timeout(timeout_s):
                await self.ask(name, address)
        except TimeoutError as error:
            raise FaultError(f"no answer within {timeout_s:g} s") from error
        except (OSError, TransportError) as error:
            raise FaultError(str(error)) from error
        return (clock() - started_s) * 1e3

    async def time_ns(self, name: str, timeout_s: float) -> int | None:
        """The time on a node's clock, in nanoseconds since 1970; None if it does not answer in time."""
        address = self._address_of(name)
        try:
            if self._nodes[name].code is not None:
                return (await self._identity(address, timeout_s)).time_ns
            if not isinstance(self._system, HasClock):
                raise FaultError(f"{name} cannot report its time: give {type(self._system).__name__} a method `time_ns`")
            async with asyncio.timeout(timeout_s):
                return await self._system.time_ns(address)
        except (OSError, TransportError):  # a TimeoutError is an OSError
            return None

    async def _identity(self, address: Address, timeout_s: float) -> NodePage:
        client = HttpClient(address)
        try:
            return (await client.request("GET", NODE_PATH, timeout_s=timeout_s)).decode(NodePage)
        finally:
            client.close()
