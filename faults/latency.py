"""Latency: what travels to the targets takes longer, as over a long or congested path."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from harness.drill import Aim, Evidence, Fault, Targets
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.cluster import Cluster


@dataclass(frozen=True)
class Latency(Fault):
    """Every request over the links is delayed by `delay_ms`, give or take up to `jitter_ms`."""

    delay_ms: float = 100.0
    jitter_ms: float = 0.0

    aims_at: ClassVar[Aim] = "links"

    def __post_init__(self) -> None:
        if not 0 <= self.jitter_ms <= self.delay_ms or self.delay_ms == 0:
            raise UsageError(
                f"Latency(delay_ms={self.delay_ms:g}, jitter_ms={self.jitter_ms:g}): needs 0 <= jitter_ms <= delay_ms"
                " and delay_ms above 0."
            )

    async def inject(self, cluster: Cluster, targets: Targets) -> Evidence:
        before = await _round_trips_ms(cluster, targets)
        attributes = {"latency": round(self.delay_ms), "jitter": round(self.jitter_ms)}
        await asyncio.gather(
            *(
                cluster.plane.add_toxic(link.name, targets.label, kind="latency", stream="upstream", attributes=attributes)
                for link in targets.links
            )
        )
        return Evidence(acted=None, text="", readings=before)

    async def heal(self, cluster: Cluster, targets: Targets, injected: Evidence) -> Evidence:
        try:
            during = await _round_trips_ms(cluster, targets)
        finally:
            await asyncio.gather(*(cluster.plane.remove_toxic(link.name, targets.label) for link in targets.links))
        both = {name: (injected.readings[name], ms) for name, ms in during.items() if name in injected.readings}
        # Half of what was asked, less the jitter, is far above what scheduling adds to a question on loopback.
        least_ms = (self.delay_ms - self.jitter_ms) / 2
        acted = bool(both) and all(ms - before_ms >= least_ms for before_ms, ms in both.values())
        text = "; ".join(f"{name} {before_ms:.1f} ms → {ms:.1f} ms" for name, (before_ms, ms) in both.items())
        return Evidence(acted=acted, text=f"round trip {text}" if text else "no target answered before and during the fault")


async def _round_trips_ms(cluster: Cluster, targets: Targets) -> dict[str, float]:
    links = [link for link in targets.links if cluster.runs(link.target)]
    return dict(zip([link.name for link in links], await asyncio.gather(*map(cluster.round_trip_ms, links)), strict=True))
