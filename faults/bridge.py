"""Bridge: a network in two halves, and one node that both halves reach."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import ClassVar, Final

from faults._cuts import Half, between, check_peers, cut, replicas_of, restore
from harness.model.environment import Environment
from harness.model.errors import UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault
from harness.model.system import System

_SEVERAL: Final = ("minority", "half", "majority", "all")


@dataclass(frozen=True)
class Bridge(Fault):
    """The other replicas split into two halves that only the target connects; clients reach every node.

    The two sides are drawn from the run's seed and are the same in all the run's windows with this target. Reachability is no
    longer transitive, and the majorities of both sides have only the target in common. The idea is that of `bridge` in Jepsen's
    nemesis (Kingsbury, jepsen-io/jepsen).

    Models a partial partition, such as a broken link between two switches that a third one still connects: Alfatafta et al.,
    "Toward a Generic Fault Tolerance Technique for Partial Network Partitioning", OSDI 2020, studied 51 failures caused by such
    partitions.
    """

    aims_at: ClassVar[Aim] = "links"

    def __post_init__(self) -> None:
        if self.target in _SEVERAL or ">" in self.target:
            raise UsageError(f"Bridge({self.target!r}): the bridge is one node. Use 'one', 'leader' or a node's name.")

    def check(self, system: System) -> None:
        replicas = replicas_of(system.nodes())
        if len(replicas) < 3:
            raise UsageError(f"Bridge: {len(replicas)} replicas are too few for a bridge and two halves. It needs at least 3.")
        check_peers(self, system)

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        return await cut(environment, targets, self._halves(environment, targets))

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        return await restore(environment, targets, self._halves(environment, targets), injected)

    def _halves(self, environment: Environment, targets: Targets) -> list[Half]:
        others = [name for name in replicas_of(environment.nodes.values()) if name not in targets.nodes]
        environment.random(f"Bridge/{'/'.join(targets.nodes)}").shuffle(others)
        middle = len(others) // 2
        return between(environment, map(frozenset, product(others[:middle], others[middle:])))
