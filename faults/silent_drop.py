"""SilentDrop: links swallow all bytes and all ends of connections."""

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
    """All that is sent over the links vanishes, the ends of connections as well: even the death of a peer is not told.

    `Isolate` stops bytes alone. Connections that lost nothing go on afterwards; the others are closed. Needs the embedded fault
    plane; `Blackhole` is the same between machines, below TCP.

    Models a firewall or a NAT gateway that forgot its connections and drops what belongs to none: of the failures that Bailis
    and Kingsbury collected, "The Network is Reliable", ACM Queue 12(7), 2014.
    """

    aims_at: ClassVar[Aim] = "links"

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        return await _TOXIC.put(environment, targets)

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        return await _TOXIC.take(environment, targets)
