"""One simulated run of a drill, up to its history: like `harness.run.runner`, but on simulated hosts."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import msgspec
import pandas as pd

from harness.cluster.cluster import Event
from harness.cluster.usage import Usage, with_last_looks
from harness.http.client import HttpClient
from harness.http.message import TransportError
from harness.model.drill import Drill
from harness.model.environment import LinkCounters
from harness.model.errors import HarnessError, NodeDown
from harness.model.fault_window import FaultWindow
from harness.model.guard import Guard
from harness.model.history import History
from harness.model.simulated import Agrees, HasInvariant
from harness.model.system import CLIENT, HasProbe
from harness.node.context import NODE_PATH, NodePage
from harness.run.driver import LOOK_EVERY_S, drive
from harness.run.first_error import first_of
from harness.run.generator_client import GeneratorClient
from harness.run.judging import raised
from harness.run.observer import NullObserver
from harness.run.recording import assembled
from harness.run.schedule import PlannedWindow
from harness.run.settled import MOST_S, SETTLE_S, left
from harness.run.training import trained
from harness.simulation.cluster import HARNESS, SimulatedCluster
from harness.simulation.disturbance import Disturbances
from harness.simulation.fence import fence, take_offence
from harness.simulation.host import Host
from harness.simulation.liveness import not_agreed, unanswered
from harness.simulation.running import running_in
from harness.simulation.swarm import PLAIN, Swarm
from harness.simulation.tasks import begin_numbers
from harness.simulation.watchdog import watched
from harness.simulation.world import BEGIN_S, World
from workloads.load.generator import OPLOG
from workloads.load.oplog import read_oplog

_ANSWER_S: Final = 2.0
_FIRST_S: Final = 0.5
"""How long after the calls to look first at what the nodes hold. By then nearly all are idle."""
_AGAIN_S: Final = 0.5

_OVERTIME_S: Final = 120.0
"""A run is stuck if it is not over this long after its load and the timeouts of that one's last calls and of the final ones."""

_LOOK_S: Final = 0.01
_LOOK_STEPS: Final = 50
"""How often to check the invariant: not before so many callbacks have run, because it may cost as much as they do."""

_DESCRIPTORS: Final = 8
"""The number of open descriptors of every simulated process, besides its sockets."""


@dataclass(kw_only=True)
class Recorded:
    """The record of one simulated run."""

    history: History
    cluster: SimulatedCluster
    start_ns: int
    broken: str | None = None
    """Why and when the system's invariant did not hold; None if it held, or there is none."""
    invariant_raised: str | None = None
    """The error that the system's invariant itself raised, and when: from then on nobody looked. None if it raised none."""
    forgotten: str | None = None
    """What a node would have forgotten after a crash at some moment, and when; None if nothing, or the system does not say."""
    not_agreed: str | None = None
    """What the nodes did not agree about long after everything was healed; None if they did, or the system does not say."""
    raised: str | None = None
    """The error that some callback of a node raised, where nothing awaits it, and when; None if none did."""
    rewritten: str | None = None
    """The log that a node rewrote far more often than it grew, and the node; None if none did."""
    unanswered: str | None = None
    """The call that got no answer after everything was healed, as text; None if all were answered."""


class SimulatedRun:
    """One drill in one world."""

    def __init__(
        self,
        drill: Drill,
        windows: Sequence[PlannedWindow],
        seed: int,
        *,
        swarm: Swarm = PLAIN,
        record: bool = False,
    ) -> None:
        """`swarm` is what the seed adds. With `record`, it keeps every event and message."""
        self.world = World(seed, record=record)
        self._swarm = swarm
        self._invariant = drill.system.invariant() if isinstance(drill.system, HasInvariant) else None
        self._broken: str | None = None
        self._invariant_raised: str | None = None
        self._drill = drill
        self._windows = windows
        self._seed = seed
        self._events: list[Event] = []
        self._usage: list[Usage] = []
        self._recorded: Recorded | None = None
        self.cluster = SimulatedCluster(self.world, drill.system, self._note)

    def carry_out(self) -> Recorded:
        """Run the drill. Raises `HarnessError` if the run cannot be judged."""
        harness = self.cluster.hosts[HARNESS]
        harness.callback_s, harness.threads = 0.0, True
        begin_numbers()
        load = self._drill.load
        limit_s = BEGIN_S + load.seconds + 2 * load.timeout_ms / 1e3 + _OVERTIME_S
        with _still():
            harness.start(self._whole)
            try:
                with watched(self.world), fence(), running_in(self.world):
                    self.world.run(limit_s)
            except HarnessError as error:
                if (offence := take_offence()) is not None:  # and what came of it
                    raise offence from error
                raise
            finally:
                self.cluster.forget()
        if (offence := take_offence()) is not None:
            raise offence
        assert self._recorded is not None  # noqa: S101 - set before the world is over
        return self._recorded

    async def _whole(self) -> None:
        try:
            self._recorded = await self._run()
            self.world.over = True
        except BaseExceptionGroup as group:
            self.world.fail(first_of(group))
        except Exception as error:
            self.world.fail(error)

    async def _run(self) -> Recorded:
        cluster, drill, swarm = self.cluster, self._drill, self._swarm
        swarm.conditions.apply(cluster)
        async with asyncio.TaskGroup() as starting:
            for name in (*cluster.nodes, CLIENT):
                starting.create_task(cluster.processes.start(name))
        generator = GeneratorClient(cluster.address(CLIENT), cluster.lost, cluster.monotonic_ns)
        self._usage += await self._look("start")
        start_ns = await generator.start(drill, self._seed)
        guard = None if drill.guard is None else Guard.parse(drill.guard)
        disturbing = asyncio.create_task(Disturbances(cluster, swarm.disturbances).carry_out(start_ns))
        watching = (self._look_at_new(), self._watch_invariant())
        records, stopped = await drive(cluster, generator, watching, self._windows, start_ns, NullObserver(), guard, self._note)
        await disturbing
        cluster.network.calm()
        await self._all_up()
        await self._look_once_at_new()
        await generator.finish(drill.system, asking=not stopped)
        await asyncio.sleep(_FIRST_S)
        self._usage = await with_last_looks(
            self._usage, lambda: self._look("end"), left, within_s=SETTLE_S, most_s=MOST_S, again_s=_AGAIN_S
        )
        log = cluster.hosts[CLIENT].disk.files("data", OPLOG)[OPLOG]
        ops = read_oplog(log.read_at(0, log.size()), start_ns)
        noted, counters = list(self._events), await cluster.links.counters()
        self._look_at_invariant()
        not_agreed_about = await not_agreed(self._apart)
        missing = None if swarm.plain else await unanswered(cluster, drill)
        # What nodes told while a core answered alone counts: those without the old leader elect another one.
        return Recorded(
            history=self._history(ops, records, noted, counters, start_ns),
            cluster=cluster,
            start_ns=start_ns,
            broken=self._broken,
            invariant_raised=self._invariant_raised,
            forgotten=self._forgotten(),
            not_agreed=not_agreed_about,
            raised=self._raised(),
            rewritten=self._rewritten(),
            unanswered=missing,
        )

    async def _all_up(self) -> None:
        """Start the nodes that are still down."""
        processes = self.cluster.processes
        for name in self.cluster.nodes:
            while processes.is_starting(name):
                await asyncio.sleep(_LOOK_S)
            if not processes.runs(name):
                with contextlib.suppress(NodeDown):  # it is recorded for the check `nodes_stayed_up`
                    await processes.start(name)

    async def _watch_invariant(self) -> None:
        looked_at = -_LOOK_STEPS
        while self._invariant is not None and self._broken is None:
            if self.world.steps - looked_at >= _LOOK_STEPS:
                looked_at = self.world.steps
                self._look_at_invariant()
            await asyncio.sleep(_LOOK_S)

    def _look_at_invariant(self) -> None:
        if self._invariant is None or self._broken is not None:
            return
        why = self._asked(self._invariant.broken)
        if why is not None:
            self._broken = f"at {self.world.now - BEGIN_S:.3f} s, {why}"
            self.world.note("invariant", "", why)

    def _apart(self) -> str | None:
        return self._asked(self._invariant.apart) if isinstance(self._invariant, Agrees) else None

    def _asked(self, question: Callable[[Mapping[str, object]], str | None]) -> str | None:
        """What the invariant says of the nodes now. It is not asked any more once it has raised an error."""
        try:
            return question(self._states())
        except HarnessError:
            raise
        except Exception as error:  # user code; the run is worth judging even so
            self._invariant, self._invariant_raised = None, f"at {self.world.now - BEGIN_S:.3f} s, {raised(error)}"
            return None

    def _states(self) -> dict[str, object]:
        """What nodes show, without those that have stopped themselves."""
        hosts = self.cluster.hosts.items()
        return {name: host.shown() for name, host in hosts if host.shown is not None and not host.halted}

    def _forgotten(self) -> str | None:
        return _first({name: host.crashes.forgotten for name, host in self.cluster.hosts.items()})

    def _raised(self) -> str | None:
        return _first({name: self.cluster.hosts[name].raised for name in self.cluster.nodes})

    def _rewritten(self) -> str | None:
        return _first({name: self.cluster.hosts[name].rewriting.found for name in self.cluster.nodes}, mark=": ")

    def _note(self, node: str, kind: str, detail: str) -> None:
        self._events.append(Event(at_ns=self.world.monotonic_ns, node=node, kind=kind, detail=detail))

    # --------------------------------------------------------------------------------------------------------------- looks

    async def _look(self, moment: str) -> list[Usage]:
        """Look at what every process holds."""
        names = [name for name in (*self.cluster.nodes, CLIENT) if self.cluster.processes.runs(name)]
        return await asyncio.gather(*(self._held_by(name, moment) for name in names))

    async def _look_at_new(self) -> None:
        """Look at processes soon after their start, during the load."""
        while True:
            await self._look_once_at_new()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look_once_at_new(self) -> None:
        seen = {row.pid for row in self._usage}
        for name in self.cluster.nodes:
            if self.cluster.processes.runs(name) and self.cluster.processes.pid(name) not in seen:
                row = await self._held_by(name, "start")
                if row.looked_into:
                    self._usage.append(row)

    async def _held_by(self, name: str, moment: str) -> Usage:
        host = self.cluster.hosts[name]
        found = Usage(at_ns=self.world.monotonic_ns, node=name, pid=host.pid, moment=moment)
        found.ran_ns, found.waited_ns = round(host.ran_s * 1e9), 0
        if isinstance(self._drill.system, HasProbe) and name != CLIENT:  # it does not report about itself
            return self._with_sockets(found, host, abandoned=True)
        client = HttpClient(host.address)
        try:
            page = (await client.request("GET", NODE_PATH, timeout_s=_ANSWER_S)).decode(NodePage)
        except (TransportError, msgspec.MsgspecError):
            return found
        finally:
            client.close()
        found.take(page)
        return self._with_sockets(found, host)

    def _with_sockets(self, found: Usage, host: Host, *, abandoned: bool = False) -> Usage:
        """Add a process's open sockets; with `abandoned`, also how many of them the other side has closed."""
        if host.loop is not None:
            found.sockets, closed = self.cluster.network.sockets(host.loop)
            found.descriptors = found.sockets + _DESCRIPTORS
            found.abandoned = closed if abandoned else None
        return found

    def _history(
        self,
        ops: pd.DataFrame,
        records: Sequence[FaultWindow],
        noted: Sequence[Event],
        counters: Mapping[str, LinkCounters],
        start_ns: int,
    ) -> History:
        told = [
            Event(at_ns=at_ns, node=name, kind=kind, detail=detail)
            for name in self.cluster.nodes
            for at_ns, kind, detail in self.cluster.hosts[name].events
        ]
        log = trained(self._drill.system, self.cluster.journals(), start_ns, self.world.monotonic_ns)
        return assembled(ops, records, [*noted, *told], counters, log, self._usage, start_ns)


@contextmanager
def _still() -> Iterator[None]:
    """Turn off garbage collection, and warnings about dropped coroutines, inside."""
    was, hook = gc.isenabled(), sys.unraisablehook
    gc.disable()
    sys.unraisablehook = lambda _: None
    try:
        yield
    finally:
        with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # coroutines that were never awaited
            gc.collect()  # collect what the dead were doing now, when none of it can act any more
        sys.unraisablehook = hook
        if was:
            gc.enable()


def _first(found: Mapping[str, str | None], mark: str = ", ") -> str | None:
    """The first node of which something was found, with that; None if there is none."""
    return next((f"{name}{mark}{why}" for name, why in found.items() if why is not None), None)
