"""CutPackets: packets between some machines are lost, in both directions or in one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from faults import _packets
from harness.model.environment import Environment
from harness.model.errors import UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault
from harness.model.packets import Flow


@dataclass(frozen=True)
class CutPackets(Fault):
    """The targets as a group are cut off from all other nodes; clients still reach both sides. (A link: its two ends.)

    `direction` "both" drops all packets between the sides, "out" the packets that the targets (or the link's source) send, "in"
    the packets sent to them. A cut in one direction stops connections in both, because acknowledgements are packets too, while
    a node that is still heard looks alive. Models the partial partitions of Alfatafta et al., "Toward a Generic Fault Tolerance
    Technique for Partial Network Partitioning", OSDI 2020.
    """

    direction: Literal["both", "out", "in"] = "both"

    aims_at: ClassVar[Aim] = "links"
    on_packets: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.direction not in ("both", "out", "in"):
            raise UsageError(f"CutPackets(direction={self.direction!r}): no such direction. Use 'both', 'out' or 'in'.")

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        return await _packets.drop(environment, targets.label, self._flows(environment, targets))

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        return await _packets.stop_dropping(environment, targets.label, self._flows(environment, targets))

    def _flows(self, environment: Environment, targets: Targets) -> list[Flow]:
        if targets.nodes:
            pairs = [(inside, other) for inside in targets.nodes for other in environment.nodes if other not in targets.nodes]
        else:
            pairs = [(link.source, link.target) for link in targets.links]
        out = [Flow(inside, other) for inside, other in pairs] if self.direction != "in" else []
        return out + ([Flow(other, inside) for inside, other in pairs] if self.direction != "out" else [])
