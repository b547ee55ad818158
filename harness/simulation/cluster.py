"""A running simulated system, as faults, the runner and the history see it: the simulator's `Environment`."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import Final, cast

from harness.cluster.background import Background
from harness.cluster.node_clocks import NodeClocks
from harness.cluster.node_memories import NodeMemories
from harness.cluster.node_moments import NodeMoments
from harness.cluster.probe import Probe
from harness.cluster.steering import Steering
from harness.http.moments import set_watch
from harness.model.environment import LinkCounters, Packets
from harness.model.errors import FaultError
from harness.model.seeds import stream
from harness.model.steering import Counter, Setting, Tracked
from harness.model.system import CLIENT, Address, HasPreload, HasSteps, Link, Node, System, links_of
from harness.node.context import NodeContext, NodeSpec
from harness.simulation.disk import MemoryDisk, MemoryFile
from harness.simulation.host import Host, HostMachine, Main
from harness.simulation.journal import MemoryJournal
from harness.simulation.link import NamedLink
from harness.simulation.network import Network
from harness.simulation.packets import SimulatedPackets
from harness.simulation.processes import SimulatedProcesses
from harness.simulation.world import BEGIN_S, EPOCH_S, World

GENERATOR: Final = "workloads.load.generator"
HARNESS: Final = "(harness)"
"""The host of the harness's own part of a run: windows, requests, looks at nodes. No node can have this name."""

_PORT: Final = 7000
_DATA: Final = "data"

NodeMain = Callable[[NodeContext], Awaitable[None]]


def preload(system: System) -> None:
    """Import what is heavy and its nodes need. Once is enough for a process."""
    for module in system.preload() if isinstance(system, HasPreload) else ():
        importlib.import_module(module)


class SimulatedCluster:
    """The hosts, links and processes of one run, in one world."""

    def __init__(self, world: World, system: System, note: Callable[[str, str, str], None]) -> None:
        self.world = world
        self.system = system
        self.nodes: dict[str, Node] = {node.name: node for node in system.nodes()}
        codes = {name: node.code for name, node in self.nodes.items() if node.code} | {CLIENT: GENERATOR}
        # Import now rather than when a node starts: imports are not part of the simulation, and may do anything.
        preload(system)
        self._mains = {name: cast(NodeMain, importlib.import_module(code).main) for name, code in codes.items()}
        self.network = Network(world)
        self.network.spared = HARNESS
        self.background = Background()
        self._shared = MemoryDisk(world.random("shared/disk"))
        self.hosts = {name: self._host(number, name) for number, name in enumerate([*self.nodes, CLIENT, HARNESS], start=1)}
        probe = Probe(system, self.nodes, self.address)
        node_hosts = {name: host for name, host in self.hosts.items() if name != HARNESS}
        self.processes = SimulatedProcesses(self.nodes, node_hosts, probe, self._main_of, note)
        self.links = SimulatedLinks(self.network, world, system, self.hosts, probe)
        steering = {name: Steering(self.hosts[name].control) for name in self.nodes}
        self.packets: Packets = SimulatedPackets(self.network, [*self.nodes, CLIENT])
        self.disks = SimulatedDisks(self.hosts, steering)
        self.moments = NodeMoments(steering, self.processes)
        self.memories = NodeMemories(steering)
        self.clocks = NodeClocks(steering, {}, probe, self.background)

    def monotonic_ns(self) -> int:
        loop = self.hosts[HARNESS].loop
        return self.world.monotonic_ns if loop is None else round(loop.time() * 1e9)

    def time_ns(self) -> int:
        return self.monotonic_ns() + round((EPOCH_S - BEGIN_S) * 1e9)

    def address(self, name: str) -> Address:
        return self.hosts[name].address

    def steps_done(self) -> int:
        if not isinstance(self.system, HasSteps):
            raise FaultError("this system does not train")
        return self.system.steps_done(self.journals())

    def journals(self) -> dict[str, MemoryJournal]:
        """The nodes' journals."""
        return {name: self.hosts[name].journal for name in self.nodes}

    def random(self, component: str) -> Random:
        return stream(self.world.seed, component)

    async def lost(self) -> None:
        """Wait for ever: no process ends that the run cannot do without."""
        await asyncio.get_running_loop().create_future()

    def forget(self) -> None:
        """Release what the hosts were doing when the run ended. Their logs and disks stay."""
        for host in self.hosts.values():
            host.forget()
        self.world.forget()
        self.network.forget()
        self.links.forget()
        self.processes.forget()
        self.background = Background()

    def _host(self, number: int, name: str) -> Host:
        host = Host(self.world, self.network, number, name, (f"10.0.0.{number}", _PORT))
        host.shared = self._shared
        self.network.add(host)
        return host

    def _main_of(self, name: str, starts: int) -> Main:
        """A node's main: its own code, on a simulated machine."""
        node = Node(name=CLIENT, code=GENERATOR) if name == CLIENT else self.nodes[name]
        main, host = self._mains[name], self.hosts[name]
        entries = self.links.entries if name == CLIENT else {}
        spec = NodeSpec(
            name=name,
            start=starts,
            host=host.address[0],
            port=host.address[1],
            data=_DATA,
            log="",
            seed=self.world.seed,
            code=node.code,
            peers=entries or {peer: self.links.address(name, peer) for peer in node.peers},
            config=dict(node.config),
        )

        async def run() -> None:
            node = NodeContext(spec, HostMachine(host))
            set_watch(node.moments)
            await main(node)

        return run


class SimulatedLinks:
    """See `harness.model.environment.Links`."""

    def __init__(self, network: Network, world: World, system: System, hosts: Mapping[str, Host], probe: Probe) -> None:
        self.all: Sequence[Link] = links_of(system)
        self._probe = probe
        self._system = system
        self._links: dict[str, NamedLink] = {}
        self._addresses: dict[str, Address] = {}
        for number, link in enumerate(self.all, start=1):
            self._links[link.name] = NamedLink(world, link.name)
            self._addresses[link.name] = f"10.{1 + number // 250}.0.{number % 250}", _PORT
            network.add_link(self._addresses[link.name], self._links[link.name], hosts[link.target])

    def forget(self) -> None:
        """Let go of every connection."""
        for link in self._links.values():
            link.forget()

    def address(self, source: str, target: str) -> Address:
        """The address at which `source` reaches `target`."""
        return self._addresses[f"{source}>{target}"]

    @property
    def entries(self) -> dict[str, Address]:
        """The entry nodes, as clients reach them."""
        return {name: self.address(CLIENT, name) for name in self._system.entries()}

    async def add_toxic(
        self, link: str, name: str, *, kind: str, stream: str, attributes: Mapping[str, float | str], toxicity: float = 1.0
    ) -> None:
        self._links[link].add_toxic(name, kind=kind, stream=stream, attributes=attributes, toxicity=toxicity)

    async def remove_toxic(self, link: str, name: str) -> None:
        self._links[link].remove_toxic(name)

    async def toxic_hits(self) -> Mapping[tuple[str, str], int]:
        return {(link, name): count for link, one in self._links.items() for name, count in one.hits().items()}

    async def counters(self) -> Mapping[str, LinkCounters]:
        return {name: link.counters() for name, link in self._links.items()}

    async def round_trip_ms(self, link: Link, timeout_s: float = 1.0) -> float:
        try:
            return await self._probe.answer_ms(link.target, self._addresses[link.name], timeout_s)
        except FaultError as error:
            raise FaultError(f"{link.target} does not answer through {link.name}: {error}") from error


class SimulatedDisks:
    """See `harness.model.environment.Disks`."""

    def __init__(self, hosts: Mapping[str, Host], steering: Mapping[str, Steering]) -> None:
        self._hosts = hosts
        self._steering = steering

    def files(self, name: str, pattern: str = "*") -> Mapping[str, MemoryFile]:
        return self._hosts[name].disk.files(_DATA, pattern)

    def hold(self, name: str, setting: Setting, label: str, value: int) -> None:
        self._steering[name].hold(setting, label, value)

    def release(self, name: str, setting: Setting, label: str) -> None:
        self._steering[name].release(setting, label)

    def count(self, name: str, counter: Counter) -> int:
        return self._steering[name].count(counter)

    def tracked(self, name: str) -> Sequence[Tracked]:
        return self._steering[name].tracked()
