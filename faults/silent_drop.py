"""SilentDrop: links swallow all bytes and all closes of connections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from faults._toxics import Toxic
from harness.model.environment import Environment
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault

_TOXIC: Final = Toxic(kind="blackhole", counts="bytes swallowed")


@dataclass(frozen=True)
class SilentDrop(Fault):
    """Everything sent over the links vanishes, closes of connections included, so even a peer's death goes unnoticed.

    `Isolate` stops only bytes. Afterwards, connections that lost nothing go on; the others are closed. Needs the embedded fault
    plane; `Blackhole` does the same between machines, below TCP.

    Models a firewall or a NAT gateway that has lost its connection table and drops unknown packets, as in failures collected by
    Bailis and Kingsbury, "The Network is Reliable", ACM Queue 12(7), 2014.
    """

    aims_at: ClassVar[Aim] = "links"

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        return await _TOXIC.put(environment, targets)

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        return await _TOXIC.take(environment, targets)
