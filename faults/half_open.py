"""HalfOpen: a connection's close does not arrive, so the other side keeps a half-open connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from faults._toxics import Toxic
from harness.model.environment import Environment
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault

_TOXIC: Final = Toxic(kind="half_open", counts="ends of connections hidden")


@dataclass(frozen=True)
class HalfOpen(Fault):
    """Bytes pass, but a connection's close does not: the other side goes on sending, and waits for an answer.

    It shows only if connections close meanwhile, so overlap it with a fault that closes some, such as `Kill`. Healing delivers
    the closes. Needs the embedded fault plane.

    Models a peer that lost power or its network while it had connections: RFC 9293, section 3.5.1, "Half-Open Connections and
    Other Anomalies". Pools full of such connections fail long after the peer is back.
    """

    aims_at: ClassVar[Aim] = "links"

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        return await _TOXIC.put(environment, targets)

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        return await _TOXIC.take(environment, targets)
