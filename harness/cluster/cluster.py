"""A system, running: its nodes as processes, its links as proxies, and what faults and the runner do with them."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Final

import msgspec
import psutil

from harness.cluster.background import Background
from harness.cluster.cpu_quotas import CpuQuotas
from harness.cluster.fake_clocks import FakeClock
from harness.cluster.fault_plane import EMBEDDED, PLANE, PlaneKind, opened_plane
from harness.cluster.holds import Holds
from harness.cluster.hosts import Hosts
from harness.cluster.ports import HOST, listens, reserved
from harness.cluster.process_limits import ProcessLimits
from harness.cluster.processes import Processes, last_lines
from harness.cluster.requirements import missing_for
from harness.cluster.steering import Steering
from harness.cluster.toxiproxy import FaultPlane
from harness.http.client import HttpClient
from harness.http.message import TransportError
from harness.model.errors import FaultError, HarnessError, NodeDown, UsageError
from harness.model.seeds import stream
from harness.model.system import CLIENT, Address, HasPreload, HasPrepare, HasProbe, Link, Node, System, links_of
from harness.node.context import NodeSpec
from harness.node.control import ControlPage

START_TIMEOUT_S: Final = 30.0
"""A node that does not answer this long after its start will not start."""

PROBE_TIMEOUT_S: Final = 1.0
GENERATOR: Final = "workloads.load.generator"


_ASK_AGAIN_S: Final = 0.004
_LINKS_AT_ONCE: Final = 8


class _Identity(msgspec.Struct):
    """What every node of this project's kind says of itself at `/-/node`."""

    pid: int


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something seen from outside the system; `at_ns` is of the monotonic clock."""

    at_ns: int
    node: str
    kind: str
    detail: str


def prepare(system: System, *, hosts: bool = False) -> None:
    """Make what a system needs before it starts. Raises `UsageError` where this machine lacks something."""
    if missing := missing_for(system, hosts=hosts):
        raise UsageError(missing)
    if isinstance(system, HasPrepare):
        system.prepare()


class Cluster:
    """The running system of one run. Use `opened`."""

    def __init__(
        self,
        system: System,
        run_dir: Path,
        seed: int,
        plane: FaultPlane,
        processes: Processes,
        ports: Mapping[str, int],
        hosts: Hosts | None,
    ) -> None:
        self.system = system
        self.plane = plane
        self.events: list[Event] = []
        self.links: Sequence[Link] = links_of(system)
        self.nodes: dict[str, Node] = {node.name: node for node in system.nodes()}
        self.background = Background()
        self.cpu_quotas = CpuQuotas(processes.remove_at_end)
        self.process_limits = ProcessLimits()
        self._run_dir = run_dir
        self._seed = seed
        self._processes = processes
        self._ports = ports
        self._hosts = hosts
        self._proxies: dict[str, Address] = {}
        self._starts: dict[str, int] = {}
        self._down = Holds()
        self._stopped = Holds()
        self._steering = {
            name: Steering(ControlPage.create(self._control(name)))
            for name, node in self.nodes.items()
            if node.code is not None
        }
        self._fake_clocks = {name: FakeClock(self._clock(name)) for name, node in self.nodes.items() if node.fake_clock}
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(
        cls, system: System, run_dir: Path, *, seed: int, plane: PlaneKind, hosts: bool = False
    ) -> AsyncIterator[Cluster]:
        """Start everything and wait until every node answers; end everything, whatever happened."""
        prepare(system, hosts=hosts)
        run_dir = Path.cwd() / run_dir  # nodes have working directories of their own
        nodes = system.nodes()
        (run_dir / "nodes").mkdir(parents=True, exist_ok=True)
        async with AsyncExitStack() as stack:
            *ports, plane_port = stack.enter_context(reserved(len(nodes) + 2))
            named = dict(zip([*(node.name for node in nodes), CLIENT], ports, strict=True))
            heavy = system.preload() if isinstance(system, HasPreload) else ()
            modules = [
                *heavy,
                *(node.code for node in nodes if node.code),
                GENERATOR,
                *([EMBEDDED] if plane == "embedded" else []),
            ]
            log = run_dir / "nodes" / "warden.log"
            machines = stack.enter_context(Hosts.opened(list(named))) if hosts else None
            processes = await stack.enter_async_context(Processes.opened(list(dict.fromkeys(modules)), log))
            toxiproxy = await stack.enter_async_context(opened_plane(plane, processes, plane_port, run_dir, seed))
            cluster = cls(system, run_dir, seed, toxiproxy, processes, named, machines)
            stack.push_async_callback(cluster.background.cancel)
            stack.callback(cluster._remove_controls)
            processes.on_exit = cluster._exited
            processes.on_broken = cluster._lose
            await cluster._create_links()
            async with asyncio.TaskGroup() as starting:
                for name in named:
                    starting.create_task(cluster.start(name))
            yield cluster

    # ------------------------------------------------------------------------------------------------------- processes

    async def start(self, name: str) -> int:
        """Start a node and wait until that very process answers; returns its pid."""
        spec = self._spec(name)
        self._starts[name] = spec.start + 1
        pid = await self._processes.start(spec)
        try:
            await self._answering(name, pid)
        except NodeDown as error:
            if not self._down.holds(name):
                self._note(name, "did not start", str(error))
            raise
        self._note(name, "started", f"pid {pid}")
        return pid

    async def kill(self, name: str, label: str) -> int:
        """SIGKILL a node, which is then down until every window that killed it has called `restart`; returns its exit code.

        Raises `FaultError` where it does not run.
        """
        self.pid(name)
        self._down.take(name, label)
        self._processes.signal(name, signal.SIGKILL)
        return await self._processes.exit_code(name)

    async def terminate(self, name: str, label: str, grace_s: float) -> int:
        """SIGTERM a node, and SIGKILL it where it still runs `grace_s` later; in all else as `kill`."""
        pid = self.pid(name)
        self._down.take(name, label)
        self._signal(name, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            try:
                async with asyncio.timeout(grace_s):
                    return await self._processes.exit_code(name)
            finally:  # also where the run is broken off meanwhile: the node's port is needed again
                if self._processes.pid(name) == pid:
                    self._signal(name, signal.SIGKILL)
        return await self._processes.exit_code(name)

    async def restart(self, name: str, label: str) -> int | None:
        """End a window's `kill` or `terminate`; returns the new pid.

        None where this window does not hold the node down, or another does too, or another took it down again as it started.
        """
        if not self._down.release(name, label):
            return None
        try:
            return await self.start(name)
        except NodeDown:
            if self._down.holds(name):
                return None
            raise

    def configure(self, name: str, config: Mapping[str, object]) -> None:
        """Change settings of a node, those named here, from its next start on."""
        node = self.nodes[name]
        self.nodes[name] = replace(node, config={**node.config, **config})

    def stop(self, name: str, label: str) -> int:
        """SIGSTOP a node's process group until every window that stopped it has called `resume`; returns its pid.

        Raises `FaultError` where it does not run.
        """
        pid = self.pid(name)
        self._stopped.take(name, label)
        self._signal(name, signal.SIGSTOP)
        return pid

    def resume(self, name: str, label: str) -> bool:
        """End a window's `stop`; whether the node was resumed by this."""
        last = self._stopped.release(name, label)
        if last and self.runs(name):
            self._signal(name, signal.SIGCONT)
        return last

    def _signal(self, name: str, number: signal.Signals) -> None:
        self._processes.signal(name, number)
        self._note(name, "signalled", number.name)

    def pid(self, name: str) -> int:
        """The node's process. Raises `FaultError` while it does not run."""
        pid = self._processes.pid(name)
        if pid is None:
            raise FaultError(f"{name} does not run")
        return pid

    def runs(self, name: str) -> bool:
        return self._processes.pid(name) is not None

    def process_state(self, name: str) -> str:
        """What the kernel says of the node's process: "stopped", "running", "sleeping", …; "gone" where there is none."""
        try:
            return str(psutil.Process(self.pid(name)).status())
        except (FaultError, psutil.NoSuchProcess):
            return "gone"

    # ---------------------------------------------------------------------------------------------------- disk and clock

    def steering(self, name: str) -> Steering:
        """What steers a node's disk and clock. Raises `FaultError` for a foreign program, which has its own of both."""
        if name not in self._steering:
            raise FaultError(
                f"cannot here, because {name} is a foreign program: its disk and clock are its own."
                " Aim at a node that has code=, or use Kill or Pause"
            )
        return self._steering[name]

    def clock(self, name: str) -> Steering | FakeClock:
        """What makes a node's clock wrong. Raises `FaultError` for a foreign program without `fake_clock`."""
        return self._fake_clocks.get(name) or self.steering(name)

    def data(self, name: str) -> Path:
        """The folder of a node's files."""
        return self._run_dir / "nodes" / name

    def random(self, component: str) -> Random:
        """A random stream of this run, for whoever has to draw something outside the nodes."""
        return stream(self._seed, component)

    def log(self, name: str) -> Path:
        """What the node writes, all its starts one after another."""
        return self._run_dir / "nodes" / f"{name}.log"

    # ----------------------------------------------------------------------------------------------------------- links

    def address(self, name: str) -> Address:
        """Where a node itself listens; not through the fault plane."""
        return self._hosts.address(name) if self._hosts else HOST, self._ports[name]

    @property
    def hosts(self) -> Hosts:
        """The nodes' machines. Raises `FaultError` where they have none of their own."""
        if self._hosts is None:
            raise FaultError("cannot here, because the nodes have no machines of their own. Give the drill hosts=True")
        return self._hosts

    @property
    def entries(self) -> dict[str, Address]:
        """The entry nodes, as clients reach them: behind their links."""
        return {name: self._proxies[f"{CLIENT}>{name}"] for name in self.system.entries()}

    async def round_trip_ms(self, link: Link, timeout_s: float = PROBE_TIMEOUT_S) -> float:
        """How long the link's target takes to answer a question asked through the link. Raises `FaultError` if it does not."""
        try:
            return await self._asked_ms(link.target, self._proxies[link.name], timeout_s)
        except FaultError as error:
            raise FaultError(f"{link.target} does not answer through {link.name}: {error}") from error

    async def answer_ms(self, name: str, timeout_s: float) -> float:
        """How long a node takes to answer on a new connection of its own, in ms. Raises `FaultError` if it does not."""
        return await self._asked_ms(name, self.address(name), timeout_s)

    async def _asked_ms(self, name: str, address: Address, timeout_s: float) -> float:
        if self.nodes[name].code is None and not isinstance(self.system, HasProbe):
            raise FaultError(f"{name} cannot be asked: give {type(self.system).__name__} a method `probe`")
        started_ns = time.monotonic_ns()
        try:
            async with asyncio.timeout(timeout_s):
                await self._ask(name, address)
        except TimeoutError as error:
            raise FaultError(f"no answer within {timeout_s:g} s") from error
        except (OSError, TransportError) as error:
            raise FaultError(str(error)) from error
        return (time.monotonic_ns() - started_ns) / 1e6

    async def _create_links(self) -> None:
        if self._hosts is not None:  # there is no proxy that could stand between machines and not be one itself
            self._proxies = {link.name: self.address(link.target) for link in self.links}
            return
        at_once = asyncio.Semaphore(_LINKS_AT_ONCE)

        async def create(link: Link) -> None:
            async with at_once:
                self._proxies[link.name] = await self.plane.create(link.name, self.address(link.target))

        async with asyncio.TaskGroup() as creating:
            for link in self.links:
                creating.create_task(create(link))

    # ------------------------------------------------------------------------------------------------------- internals

    async def lost(self) -> None:
        """Wait for the end of a process that the run cannot do without; raises a `HarnessError` when that happens."""
        await self._lost

    def _exited(self, name: str, pid: int, code: int) -> None:
        how = f"pid {pid}, {signal.Signals(-code).name if code < 0 else f'exit code {code}'}"
        self._note(name, "killed" if self._down.holds(name) else "died", how)
        if name in (PLANE, CLIENT):
            what = "fault plane" if name == PLANE else "load generator"
            self._lose(FaultError(f"The {what} ended during the run ({how}); what it would have shown is unknown."))

    def _lose(self, error: HarnessError) -> None:
        if not self._lost.done():
            self._lost.set_exception(error)
            self._lost.exception()  # it may be that nobody waits for it yet

    def _spec(self, name: str) -> NodeSpec:
        node = Node(name=CLIENT, code=GENERATOR) if name == CLIENT else self.nodes[name]
        return NodeSpec(
            name=name,
            start=self._starts.get(name, 0),
            host=self.address(name)[0],
            port=self._ports[name],
            data=str(self.data(name)),
            log=str(self.log(name)),
            seed=self._seed,
            code=node.code,
            command=node.command,
            peers=self.entries if name == CLIENT else {peer: self._proxies[f"{name}>{peer}"] for peer in node.peers},
            config=dict(node.config),
            control=str(self._control(name)) if name in self._steering else None,
            clock=str(self._clock(name)) if name in self._fake_clocks else None,
            network=self._hosts.namespace(name) if self._hosts else None,
        )

    async def _answering(self, name: str, pid: int) -> None:
        """Wait until this process, and no other, answers on the node's port."""
        deadline, why = time.monotonic() + START_TIMEOUT_S, ""
        while self._processes.pid(name) == pid:
            try:
                async with asyncio.timeout(PROBE_TIMEOUT_S):
                    found = await self._ask(name, self.address(name))
            except HarnessError:
                raise
            except Exception as error:  # not yet; a probe is anybody's code
                why = f"{type(error).__name__}: {error}"
            else:
                if found == pid or (found is None and listens(pid, self._ports[name])):
                    return
                why = f"port {self._ports[name]} is answered by another process, not by pid {pid}"
            if time.monotonic() > deadline:
                raise NodeDown(
                    f"{name} did not answer within {START_TIMEOUT_S:g} s of its start ({why}). Its log ends: {self._seen(name)}"
                )
            await asyncio.sleep(_ASK_AGAIN_S)
        code = await self._processes.exit_code(name)
        raise NodeDown(f"{name} did not start: it ended with code {code}. Its log ends: {self._seen(name)}")

    def _seen(self, name: str) -> str:
        return last_lines(self.log(name), 3)

    async def _ask(self, name: str, address: Address) -> int | None:
        """Return when a node answers at an address: its pid, where it tells. Raises what connecting or the probe raises."""
        if isinstance(self.system, HasProbe) and name != CLIENT:
            await self.system.probe(address)
            return None
        if name != CLIENT and self.nodes[name].code is None:
            _, writer = await asyncio.open_connection(*address)
            writer.close()
            return None
        client = HttpClient(address)
        try:
            reply = await client.request("GET", "/-/node", timeout_s=START_TIMEOUT_S)
        finally:
            client.close()
        return reply.decode(_Identity).pid

    def _remove_controls(self) -> None:
        """They mean nothing without the processes that map them."""
        for name in self._steering:
            self._control(name).unlink()
        for name in self._fake_clocks:
            self._clock(name).unlink()

    def _control(self, name: str) -> Path:
        return self._run_dir / "nodes" / f"{name}.control"

    def _clock(self, name: str) -> Path:
        return self._run_dir / "nodes" / f"{name}.clock"

    def _note(self, name: str, kind: str, detail: str) -> None:
        self.events.append(Event(at_ns=time.monotonic_ns(), node=name, kind=kind, detail=detail))
