"""A running system: its processes, links, disks, clocks and packets, for faults and the runner."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from harness.cluster.background import Background
from harness.cluster.fake_clocks import FakeClock
from harness.cluster.fault_plane import EMBEDDED, PLANE, PlaneKind, opened_plane
from harness.cluster.network_namespaces import NetworkNamespaces
from harness.cluster.node_clocks import NodeClocks
from harness.cluster.node_disks import FileOnDisk, NodeDisks
from harness.cluster.node_memories import NodeMemories
from harness.cluster.node_moments import NodeMoments
from harness.cluster.node_processes import NodeProcesses
from harness.cluster.ports import HOST, Ports, reserved
from harness.cluster.probe import Probe
from harness.cluster.proxied_links import ProxiedLinks
from harness.cluster.requirements import missing_for
from harness.cluster.steering import Steering
from harness.cluster.toxiproxy import FaultPlane
from harness.cluster.warden_client import WardenClient
from harness.model.errors import FaultError, HarnessError, UsageError
from harness.model.exit_code import end_of
from harness.model.seeds import stream
from harness.model.system import CLIENT, Address, HasPreload, HasPrepare, HasSteps, Link, Node, System
from harness.node.context import NodeSpec
from harness.node.control import ControlPage
from harness.node.journal import FILE as JOURNAL

GENERATOR: Final = "workloads.load.generator"


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something seen from outside the system; `at_ns` is on the monotonic clock."""

    at_ns: int
    node: str
    kind: str
    detail: str


def prepare(system: System, *, namespaces: bool = False) -> None:
    """Build what a system needs before it starts. Raises `UsageError` if this machine lacks something."""
    if missing := missing_for(system, namespaces=namespaces):
        raise UsageError(missing)
    if isinstance(system, HasPrepare):
        system.prepare()


class Cluster:
    """The running system of one run; an `Environment`. Use `opened`."""

    def __init__(
        self,
        system: System,
        folder: Path,
        seed: int,
        plane: FaultPlane,
        warden: WardenClient,
        ports: Ports,
        namespaces: NetworkNamespaces | None,
    ) -> None:
        self.system = system
        self.events: list[Event] = []
        self.nodes: dict[str, Node] = {node.name: node for node in system.nodes()}
        self.background = Background()
        self._folder = folder
        self._seed = seed
        self._ports = ports
        self._namespaces = namespaces
        self._steering = {
            name: Steering(ControlPage.create(self._control(name)))
            for name, node in self.nodes.items()
            if node.code is not None
        }
        self._fake_clocks = {name: FakeClock(self._clock(name)) for name, node in self.nodes.items() if node.fake_clock}
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        probe = Probe(system, self.nodes, self.address)
        self.processes = NodeProcesses(self.nodes, warden, probe, folder, self.address, self._spec, self.note)
        self.links = ProxiedLinks(system, plane, probe)
        self.disks = NodeDisks(folder, self._steering)
        self.moments = NodeMoments(self._steering, self.processes)
        self.memories = NodeMemories(self._steering)
        self.clocks = NodeClocks(self._steering, self._fake_clocks, probe, self.background)

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(
        cls, system: System, run_dir: Path, *, seed: int, plane: PlaneKind, namespaces: bool = False
    ) -> AsyncIterator[Cluster]:
        """Start everything and wait until every node answers; end everything, whatever happens."""
        prepare(system, namespaces=namespaces)
        run_dir = Path.cwd() / run_dir  # each node has its own working directory
        folder = run_dir / "nodes"
        folder.mkdir(parents=True, exist_ok=True)
        nodes = system.nodes()
        async with AsyncExitStack() as stack:
            [plane_port] = stack.enter_context(reserved(1))
            ports = stack.enter_context(Ports.reserved(nodes))
            modules = [
                *(system.preload() if isinstance(system, HasPreload) else ()),
                *(module for node in nodes for module in (node.code, node.setup) if module),
                GENERATOR,
                *([EMBEDDED] if plane == "embedded" else []),
            ]
            machines = stack.enter_context(NetworkNamespaces.opened(list(ports.own))) if namespaces else None
            opened_warden = WardenClient.opened(list(dict.fromkeys(modules)), folder / "warden.log")
            warden = await stack.enter_async_context(opened_warden)
            toxiproxy = await stack.enter_async_context(opened_plane(plane, warden, plane_port, run_dir, seed))
            cluster = cls(system, folder, seed, toxiproxy, warden, ports, machines)
            stack.push_async_callback(cluster.background.cancel)
            stack.callback(cluster._remove_controls)
            warden.on_exit = cluster._exited
            warden.on_broken = cluster._lose
            if machines is None:
                await cluster.links.create(cluster._upstream, ports.listen)
            else:
                cluster.links.bypass(cluster._upstream)
            async with asyncio.TaskGroup() as starting:
                for name in ports.own:
                    starting.create_task(cluster.processes.start(name))
            yield cluster

    @property
    def packets(self) -> NetworkNamespaces:
        """The nodes' packets. Raises `FaultError` if the nodes are not in network namespaces."""
        if self._namespaces is None:
            raise FaultError("the nodes share one network. Give the drill namespaces=True")
        return self._namespaces

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def time_ns(self) -> int:
        return time.time_ns()

    def address(self, name: str) -> Address:
        return self._namespaces.address(name) if self._namespaces else HOST, self._ports.own[name]

    def _upstream(self, link: Link) -> Address:
        return self.address(link.target)[0], self._ports.upstream(link)

    def steps_done(self) -> int:
        if not isinstance(self.system, HasSteps):
            raise FaultError("this system does not train")
        return self.system.steps_done(self.journals())

    def journals(self) -> dict[str, FileOnDisk]:
        """The nodes' journals."""
        return {name: FileOnDisk(self.disks.folder(name) / JOURNAL) for name in self.nodes}

    def random(self, component: str) -> Random:
        return stream(self._seed, component)

    def note(self, node: str, kind: str, detail: str) -> None:
        """Record an event for the history."""
        self.events.append(Event(at_ns=time.monotonic_ns(), node=node, kind=kind, detail=detail))

    async def lost(self) -> None:
        """Wait until a process ends that the run cannot do without, then raise a `HarnessError`."""
        await asyncio.shield(self._lost)  # several may wait, and some give up

    def _exited(self, name: str, pid: int, code: int) -> None:
        how = f"pid {pid}, {end_of(code)}"
        self.note(name, "killed" if self.processes.held_down(name) else "died", how)
        if name in (PLANE, CLIENT):
            what = "fault plane" if name == PLANE else "load generator"
            self._lose(FaultError(f"The {what} ended during the run ({how}); what it would have shown is unknown."))

    def _lose(self, error: HarnessError) -> None:
        if not self._lost.done():
            self._lost.set_exception(error)
            self._lost.exception()  # marks it as retrieved, because no task may be waiting for it yet

    def _spec(self, name: str, starts: int) -> NodeSpec:
        node = Node(name=CLIENT, code=GENERATOR) if name == CLIENT else self.nodes[name]
        entries = self.links.entries if name == CLIENT else {}
        return NodeSpec(
            name=name,
            start=starts,
            host=self.address(name)[0],
            port=self._ports.own[name],
            data=str(self.disks.folder(name)),
            log=str(self.processes.log(name)),
            seed=self._seed,
            code=node.code,
            command=node.command,
            setup=node.setup,
            internal_port=self._ports.internal.get(name),
            peers=entries or {peer: self.links.address(name, peer) for peer in node.peers},
            config=dict(node.config),
            control=str(self._control(name)) if name in self._steering else None,
            clock=str(self._clock(name)) if name in self._fake_clocks else None,
            network=self._namespaces.namespace(name) if self._namespaces else None,
            events=str(self.events_file(name)) if name != CLIENT else None,
        )

    def _remove_controls(self) -> None:
        """Delete the control pages and clock files, which are useless without the processes that map them."""
        for name in self._steering:
            self._control(name).unlink()
        for name in self._fake_clocks:
            self._clock(name).unlink()

    def events_file(self, name: str) -> Path:
        """The file of events that a node reports about its work; see `harness.node.events`."""
        return self._folder / f"{name}.events"

    def _control(self, name: str) -> Path:
        return self._folder / f"{name}.control"

    def _clock(self, name: str) -> Path:
        return self._folder / f"{name}.clock"
