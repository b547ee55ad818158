"""RateLimit: a machine's bandwidth is low, in both directions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from harness.model.environment import Environment
from harness.model.errors import UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault
from harness.model.packets import Shaping

_LEAST_KBIT_PER_S: Final = 8
_MOST_KBIT_PER_S: Final = 10_000_000


@dataclass(frozen=True)
class RateLimit(Fault):
    """Each target sends and receives at most `kbit_per_s`: a token bucket (tc-tbf(8)) at either end of its cable.

    All of its connections share the rate, and packets that would wait too long in the queue are dropped. Models a degraded
    network card, as in incidents of Gunawi et al., "Fail-Slow at Scale", FAST 2018, or a link congested by others.
    """

    kbit_per_s: float = 1000.0

    aims_at: ClassVar[Aim] = "nodes"
    on_packets: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not _LEAST_KBIT_PER_S <= self.kbit_per_s <= _MOST_KBIT_PER_S:
            raise UsageError(
                f"RateLimit(kbit_per_s={self.kbit_per_s:g}): must be from {_LEAST_KBIT_PER_S:,} to {_MOST_KBIT_PER_S:,}."
            )

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        for name in targets.nodes:
            await asyncio.to_thread(environment.packets.limit, targets.label, name, self.kbit_per_s)
        return Evidence(acted=None, text="", readings=await _readings(environment, targets))

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        """Evidence is the packets that had to wait, or were dropped, for each target."""
        try:
            now = await _readings(environment, targets)
        finally:
            await asyncio.to_thread(environment.packets.unlimit, targets.label)
        since = {name: value - injected.readings.get(name, 0) for name, value in now.items()}
        acted = [any(since.get(f"{name} {end} overlimits", 0) > 0 for end in ("out", "in")) for name in targets.nodes]
        return Evidence(acted=all(acted), text="; ".join(_text(name, since, self.kbit_per_s) for name in targets.nodes))


async def _readings(environment: Environment, targets: Targets) -> Mapping[str, float]:
    found: dict[str, float] = {}
    for name in targets.nodes:
        for end, shaping in (await asyncio.to_thread(environment.packets.shaping, name)).items():
            found |= _numbers(f"{name} {end}", shaping)
    return found


def _numbers(prefix: str, shaping: Shaping) -> Mapping[str, float]:
    return {
        f"{prefix} bytes": shaping.bytes,
        f"{prefix} overlimits": shaping.overlimits,
        f"{prefix} drops": shaping.drops,
    }


def _text(name: str, since: Mapping[str, float], kbit_per_s: float) -> str:
    out, in_ = (
        f"{since.get(f'{name} {end} bytes', 0):,.0f} bytes (waited {since.get(f'{name} {end} overlimits', 0):,.0f}×,"
        f" dropped {since.get(f'{name} {end} drops', 0):,.0f})"
        for end in ("out", "in")
    )
    return f"{name} at {kbit_per_s:,g} kbit/s sent {out}, received {in_}"
