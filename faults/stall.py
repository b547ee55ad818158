"""Stall: now and then a connection stands still, as TCP does when a packet is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from faults._toxics import Toxic, check
from harness.model.environment import Environment
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault

_LONGEST_MS = 60_000


@dataclass(frozen=True)
class Stall(Fault):
    """Each piece of data is lost with the chance `loss`, and sent again after `timeout_ms`, doubled for every loss in a row.

    All that the connection carries behind it waits too (RFC 6298, section 5). The latency's median stays, its tail grows. Needs
    the embedded fault plane.

    Models a path that loses packets: a bad cable or an overfull switch, whose few lost packets decide the slowest requests.
    Dean and Barroso, "The Tail at Scale", CACM 56(2), 2013, is about what such a tail does to a service of many parts.
    """

    loss: float = 0.01
    timeout_ms: int = 200

    aims_at: ClassVar[Aim] = "links"

    def __post_init__(self) -> None:
        check("Stall", "loss", self.loss, 1e-6, 1)
        check("Stall", "timeout_ms", self.timeout_ms, 1, _LONGEST_MS)

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        return await self._toxic.put(environment, targets)

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        return await self._toxic.take(environment, targets)

    @property
    def _toxic(self) -> Toxic:
        attributes = {"loss": self.loss, "timeout": int(self.timeout_ms)}
        return Toxic(kind="stall", attributes=attributes, counts="stalls for a retransmission")
