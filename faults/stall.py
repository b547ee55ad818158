"""Stall: now and then a connection stalls, as TCP does when a packet is lost."""

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
    """Each piece of data is lost with probability `loss` and retransmitted after `timeout_ms`, doubled for each loss in a row.

    Later data on the connection waits too (RFC 6298, section 5). The median latency stays; the tail grows. Needs the embedded
    fault plane.

    Models a lossy path: a bad cable or a congested switch, whose few lost packets decide the slowest requests. Dean and
    Barroso, "The Tail at Scale", CACM 56(2), 2013, show what such a tail does to a service of many parts.
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
