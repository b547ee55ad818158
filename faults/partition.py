"""Partitions: bytes stop on links, in the chosen directions, and neither end notices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from faults._cuts import Half, both_halves, cut, restore
from harness.model.environment import Environment
from harness.model.errors import UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault
from harness.model.system import CLIENT


@dataclass(frozen=True)
class Isolate(Fault):
    """Each target is cut off from all nodes and clients. (A link as target: no bytes pass over it.)

    Models a running machine without a network. Bailis and Kingsbury, "The Network is Reliable", ACM Queue 12(7), 2014, collect
    reports of such failures.
    """

    aims_at: ClassVar[Aim] = "links"

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        return await cut(environment, targets, both_halves(targets.links))

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        return await restore(environment, targets, both_halves(targets.links), injected)


@dataclass(frozen=True)
class Partition(Fault):
    """The targets as a group are cut off from all other nodes; clients still reach both sides.

    `direction` "both" stops all bytes between the sides, "out" the bytes that the targets send, "in" the bytes sent to them.

    Models a switch or a firewall rule that cuts some nodes off from others, perhaps in one direction only: Alquraan et al., "An
    Analysis of Network-Partitioning Failures in Cloud Systems", OSDI 2018.
    """

    direction: Literal["both", "out", "in"] = "both"

    aims_at: ClassVar[Aim] = "links"

    def __post_init__(self) -> None:
        if self.direction not in ("both", "out", "in"):
            raise UsageError(f"Partition(direction={self.direction!r}): no such direction. Use 'both', 'out' or 'in'.")

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        return await cut(environment, targets, self._halves(targets))

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        return await restore(environment, targets, self._halves(targets), injected)

    def _halves(self, targets: Targets) -> list[Half]:
        if not targets.nodes:  # links were named: the source of each is the inside
            crossing = [(link, link.source) for link in targets.links]
        else:
            crossing = [
                (link, link.source if link.source in targets.nodes else link.target)
                for link in targets.links
                if link.source != CLIENT and (link.source in targets.nodes) != (link.target in targets.nodes)
            ]
        return [
            (link, stream)
            for link, inside in crossing
            for stream, sender in (("upstream", link.source), ("downstream", link.target))
            if self.direction == "both" or (sender == inside) == (self.direction == "out")
        ]
