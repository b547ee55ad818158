"""The links of a run: each is a proxy of the fault plane, or a direct connection if the nodes are in network namespaces."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from harness.cluster.ports import HOST
from harness.cluster.probe import Probe
from harness.cluster.toxiproxy import FaultPlane
from harness.model.environment import LinkCounters
from harness.model.errors import FaultError
from harness.model.system import CLIENT, Address, Link, System, links_of

_CREATED_AT_ONCE: Final = 8


class ProxiedLinks:
    """See `harness.model.environment.Links`."""

    def __init__(self, system: System, plane: FaultPlane, probe: Probe) -> None:
        self.all: Sequence[Link] = links_of(system)
        self.plane = plane
        self._system = system
        self._probe = probe
        self._addresses: dict[str, Address] = {}

    async def create(
        self, upstreams: Callable[[Link], Address], listens: Callable[[Link], Address] = lambda link: (HOST, 0)
    ) -> None:
        """Make a proxy for every link. `upstreams` gives the target's own address, `listens` the proxy's."""
        at_once = asyncio.Semaphore(_CREATED_AT_ONCE)

        async def create_one(link: Link) -> None:
            async with at_once:
                self._addresses[link.name] = await self.plane.create(link.name, upstreams(link), listens(link))

        async with asyncio.TaskGroup() as creating:
            for link in self.all:
                creating.create_task(create_one(link))

    def bypass(self, upstreams: Callable[[Link], Address]) -> None:
        """Let every link lead straight to its target: a proxy between network namespaces would need its own namespace."""
        self._addresses = {link.name: upstreams(link) for link in self.all}

    def address(self, source: str, target: str) -> Address:
        """The address at which `source` reaches `target`."""
        return self._addresses[f"{source}>{target}"]

    @property
    def entries(self) -> dict[str, Address]:
        """The addresses at which clients reach the entry nodes, through their links."""
        return {name: self.address(CLIENT, name) for name in self._system.entries()}

    async def round_trip_ms(self, link: Link, timeout_s: float = 1.0) -> float:
        try:
            return await self._probe.answer_ms(link.target, self._addresses[link.name], timeout_s)
        except FaultError as error:
            raise FaultError(f"{link.target} does not answer through {link.name}: {error}") from error

    async def add_toxic(
        self, link: str, name: str, *, kind: str, stream: str, attributes: Mapping[str, float | str], toxicity: float = 1.0
    ) -> None:
        await self.plane.add_toxic(link, name, kind=kind, stream=stream, attributes=attributes, toxicity=toxicity)

    async def remove_toxic(self, link: str, name: str) -> None:
        await self.plane.remove_toxic(link, name)

    async def toxic_hits(self) -> Mapping[tuple[str, str], int]:
        return await self.plane.toxic_hits()

    async def counters(self) -> Mapping[str, LinkCounters]:
        return await self.plane.counters()
