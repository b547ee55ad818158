"""HeavyTailedLatency: mostly small delays, and some very long ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from faults._toxics import Toxic, check
from harness.model.environment import Environment
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault

_LONGEST_MS = 3_600_000


@dataclass(frozen=True)
class HeavyTailedLatency(Fault):
    """Every request over the links is delayed by a Pareto-distributed time, at most `most_ms`; requests stay in order.

    No request waits less than `least_ms`; one in 2 to the power of `exponent` waits more than twice that. Needs the embedded
    fault plane.

    Models the delays of shared machines: garbage collection, queues, background work. Dean and Barroso, "The Tail at Scale",
    CACM 56(2), 2013. Unlike with `Latency`, the tail hides behind a good mean.
    """

    least_ms: float = 5.0
    exponent: float = 1.5
    most_ms: float = 1000.0

    aims_at: ClassVar[Aim] = "links"

    def __post_init__(self) -> None:
        check("HeavyTailedLatency", "least_ms", self.least_ms, 0.1, _LONGEST_MS)
        check("HeavyTailedLatency", "exponent", self.exponent, 0.1, 100)
        check("HeavyTailedLatency", "most_ms", self.most_ms, self.least_ms, _LONGEST_MS)

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        return await self._toxic.put(environment, targets)

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        return await self._toxic.take(environment, targets)

    @property
    def _toxic(self) -> Toxic:
        return Toxic(
            kind="latency_distribution",
            streams=("upstream",),
            attributes={"distribution": "pareto", "scale": self.least_ms, "shape": self.exponent, "limit": self.most_ms},
            counts="delays",
        )
