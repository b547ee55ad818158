"""SharedBandwidth: all connections of a link share a low bandwidth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from faults._toxics import Toxic, check
from harness.model.environment import Environment
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault

_MOST_KB_PER_S = 10_000_000


@dataclass(frozen=True)
class SharedBandwidth(Fault):
    """Each link carries at most `kb_per_s` thousand bytes a second in either direction, over all its connections together.

    Excess data waits, so more connections mean less bandwidth for each. Needs the embedded fault plane; `RateLimit` does the
    same between machines, below TCP.

    Models a link congested by others, or a network card that fell back to a lower speed: Gunawi et al., "Fail-Slow at Scale",
    FAST 2018, report a gigabit card that dropped to kilobits.
    """

    kb_per_s: int = 100

    aims_at: ClassVar[Aim] = "links"

    def __post_init__(self) -> None:
        check("SharedBandwidth", "kb_per_s", self.kb_per_s, 1, _MOST_KB_PER_S)

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        return await self._toxic.put(environment, targets)

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        """Evidence is the pieces of data that had to queue behind others."""
        return await self._toxic.take(environment, targets)

    @property
    def _toxic(self) -> Toxic:
        return Toxic(kind="shared_bandwidth", attributes={"rate": int(self.kb_per_s)}, counts="pieces that had to queue")
