"""MajorityRing: every node sees a majority, and no two see the same one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

from faults._cuts import Half, between, check_peers, cut, replicas_of, restore
from harness.model.environment import Environment
from harness.model.errors import UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault
from harness.model.system import System


@dataclass(frozen=True)
class MajorityRing(Fault):
    """Each replica reaches just enough of its nearest neighbours in a ring to form a majority; clients reach every node.

    The ring's order is drawn from the run's seed and is the same in all the run's windows. Every node sees a majority, but no
    two see the same one. The idea is that of `majorities-ring` in Jepsen's nemesis (Kingsbury, jepsen-io/jepsen). If the
    majority is an even number, each node reaches one more, so that both ends of a link agree on whether it is cut.

    Models several links broken at once, so that every node finds a quorum, but a different one: Alfatafta et al., "Toward a
    Generic Fault Tolerance Technique for Partial Network Partitioning", OSDI 2020.
    """

    target: str = "all"

    aims_at: ClassVar[Aim] = "links"

    def __post_init__(self) -> None:
        if self.target != "all":
            raise UsageError(f"MajorityRing({self.target!r}): the ring consists of all replicas. Leave the target out.")

    def check(self, system: System) -> None:
        replicas = replicas_of(system.nodes())
        if len(replicas) < 4:
            raise UsageError(f"MajorityRing: {len(replicas)} replicas are too few. It needs at least 4; or use Bridge.")
        check_peers(self, system)

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        return await cut(environment, targets, self._halves(environment, targets))

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        return await restore(environment, targets, self._halves(environment, targets), injected)

    def _halves(self, environment: Environment, targets: Targets) -> list[Half]:
        ring = list(targets.nodes)
        environment.random("MajorityRing").shuffle(ring)
        return between(environment, apart_in_ring(ring))


def apart_in_ring(ring: Sequence[str]) -> Iterator[frozenset[str]]:
    """The pairs that do not reach each other: further apart than the members of a majority are from its middle."""
    others_of_majority = len(ring) // 2
    reach = (others_of_majority + 1) // 2
    for one, other in combinations(range(len(ring)), 2):
        if reach < other - one < len(ring) - reach:
            yield frozenset((ring[one], ring[other]))
