"""Blackhole: a machine's packets vanish silently, both ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from faults import _packets
from harness.model.environment import Environment
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault
from harness.model.packets import Flow


@dataclass(frozen=True)
class Blackhole(Fault):
    """Every packet to and from each target is lost, clients' included. Connecting hangs; nothing is refused or reset.

    Models a dead switch or cable. Unlike behind a proxy, TCP retransmits lost data, which then arrives late. The harness's own
    probes get through, so that it can see a node come back that was killed meanwhile.
    """

    aims_at: ClassVar[Aim] = "nodes"
    on_packets: ClassVar[bool] = True

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        return await _packets.drop(environment, targets.label, _flows(targets))

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        return await _packets.stop_dropping(environment, targets.label, _flows(targets))


def _flows(targets: Targets) -> list[Flow]:
    return [flow for name in targets.nodes for flow in (Flow(name, None), Flow(None, name))]
