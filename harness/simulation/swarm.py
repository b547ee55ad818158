"""What a seed adds to a drill: conditions of the network and the machines, settings of the system, and more faults.

Each seed draws a subset of everything, and rates, after "Swarm Testing" (Groce et al., ISSTA 2012): runs that leave things out
find bugs that runs with a little of everything miss.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Final

import msgspec

from harness.model.drill import Drill
from harness.model.seeds import stream
from harness.model.simulated import Varies, Withstands
from harness.model.system import CLIENT
from harness.simulation.cluster import SimulatedCluster
from harness.simulation.disturbance import Disturbance
from harness.simulation.draw import draw, stutters

_PLAIN_SHARE: Final = 0.2
"""The share of seeds that run the drill unchanged, and are judged by its SLOs, too."""


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """The conditions of a simulated network and its machines."""

    packet_ms: tuple[float, float] = (0.1, 0.4)
    late_share: float = 0.0
    split_share: float = 0.02
    slow_ms: dict[str, float] = {}
    """By pair of hosts, "n1>n2", the largest additional delay of packets."""
    sync_ms: tuple[float, float] = (0.2, 1.0)
    callback_us: float = 20.0
    clock_step_us: float = 0.001
    """The resolution of the machines' wall clocks. Of a coarse one, several readings are equal."""

    def apply(self, cluster: SimulatedCluster) -> None:
        """Apply the conditions. Call this before any node starts."""
        network = cluster.network
        network.delay_s = (self.packet_ms[0] / 1e3, self.packet_ms[1] / 1e3)
        network.late_share, network.split_share = self.late_share, self.split_share
        for pair, slow_ms in self.slow_ms.items():
            source, _, target = pair.partition(">")
            network.slow_s[source, target] = slow_ms / 1e3
        for name in cluster.nodes:
            cluster.hosts[name].disk.sync_s = (self.sync_ms[0] / 1e3, self.sync_ms[1] / 1e3)
            cluster.hosts[name].callback_s = self.callback_us / 1e6
            cluster.hosts[name].clock_step_ns = round(self.clock_step_us * 1e3)


class Swarm(msgspec.Struct, frozen=True, kw_only=True):
    """What a seed adds to its drill; nothing if it is `plain`."""

    plain: bool
    windows: bool = True
    """Whether the drill's own faults happen. Changes of members always do, because they are the point of such a drill."""
    varied: bool = False
    """Whether settings of the system and of the workload are drawn as well."""
    load_share: float = 1.0
    """The share of the drill's calls that are made."""
    seconds: float | None = None
    """The duration of the load, if it differs from the drill's."""
    conditions: Conditions = Conditions()
    disturbances: tuple[Disturbance, ...] = ()

    @classmethod
    def of(cls, drill: Drill, seed: int) -> Swarm:
        """The swarm that a seed draws for a drill."""
        random = stream(seed, "swarm")
        if random.random() < _PLAIN_SHARE:
            return cls(plain=True)
        load_share = random.choice((0.15, 0.5, 1.0))
        varied = random.random() < 0.7
        swarm = cls(plain=False, windows=random.random() < 0.4, varied=varied, load_share=load_share)
        names = [node.name for node in swarm.drill(drill, seed).system.nodes()]
        conditions = _far(_conditions(random, names), stream(seed, "far"), names)
        if isinstance(drill.system, Withstands) and "wrong clock" in drill.system.withstands:
            conditions = _coarse(conditions, stream(seed, "clocks"))
        changed = swarm.drill(drill, seed)
        found = [*draw(random, changed), *stutters(stream(seed, "stutters"), changed)]
        disturbances = tuple(sorted(found, key=lambda one: one.at_s))
        return msgspec.structs.replace(swarm, conditions=conditions, disturbances=disturbances)

    def drill(self, drill: Drill, seed: int) -> Drill:
        """The drill as this seed changes it."""
        if self.plain:
            return drill
        random = stream(seed, "settings")
        system, workload = drill.system, drill.workload
        if self.varied and isinstance(system, Varies):
            system = system.varied(random)
        if self.varied and isinstance(workload, Varies):
            workload = workload.varied(random)
        load = replace(
            drill.load,
            rate=max(1.0, drill.load.rate * self.load_share),
            seconds=drill.load.seconds if self.seconds is None else self.seconds,
        )
        changes = tuple(item for item in drill.faults if all(fault.changes_members for fault in item.faults))
        faults = drill.faults if self.windows else changes
        return replace(drill, system=system, workload=workload, load=load, guard=None, faults=faults)


def _conditions(random: Random, names: list[str]) -> Conditions:
    hosts, share, most_ms = [CLIENT, *names], random.choice((0.0, 0.15)), random.choice((5.0, 40.0, 150.0))
    slow = {f"{a}>{b}": most_ms for a in hosts for b in hosts if a != b and random.random() < share}
    return Conditions(
        packet_ms=random.choice(((0.1, 0.4), (0.1, 0.4), (0.5, 3.0))),
        late_share=random.choice((0.0, 0.0, 0.01, 0.05)),
        split_share=random.choice((0.0, 0.02, 0.3)),
        slow_ms=slow,
        sync_ms=(0.2, random.choice((0.5, 3.0, 20.0))),
        callback_us=random.choice((10.0, 20.0, 60.0)),
    )


def _far(conditions: Conditions, random: Random, names: list[str]) -> Conditions:
    """Perhaps what one node is sent, or what it sends, takes long: its answers are under way for a while."""
    if random.random() < 0.8:
        return conditions
    node, to, most_ms = random.choice(names), random.random() < 0.5, random.choice((5.0, 40.0))
    peers = [name for name in names if name != node]
    slow = {f"{peer}>{node}" if to else f"{node}>{peer}": most_ms for peer in peers}
    return msgspec.structs.replace(conditions, slow_ms=conditions.slow_ms | slow)


def _coarse(conditions: Conditions, random: Random) -> Conditions:
    """Perhaps wall clocks advance by the tick of a kernel or of a virtual machine, rather than by nanoseconds."""
    if random.random() < 0.75:
        return conditions
    return msgspec.structs.replace(conditions, clock_step_us=random.choice((1000.0, 15625.0)))


PLAIN: Final = Swarm(plain=True)
"""Nothing added."""
