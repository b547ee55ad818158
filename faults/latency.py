"""Latency: requests to the targets take longer, as over a long or congested path."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar, Final

from harness.model.environment import Environment
from harness.model.errors import FaultError, UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault
from harness.model.system import Link
from harness.model.window_work import all_done

_ANSWER_S: Final = 1.0
"""A target that takes longer than this, besides the delay, counts as not answering."""

_MORE_LOOKS: Final = 6
_LONGEST_MS: Final = 3_600_000


@dataclass(frozen=True)
class Latency(Fault):
    """Every request over the links is delayed by `delay_ms`, plus or minus up to `jitter_ms`.

    Models a component that is slow rather than dead, which health checks do not notice: Huang et al., "Gray Failure: The
    Achilles' Heel of Cloud-Scale Systems", HotOS 2017.
    """

    delay_ms: float = 100.0
    jitter_ms: float = 0.0

    aims_at: ClassVar[Aim] = "links"

    def __post_init__(self) -> None:
        if not (1 <= self.delay_ms <= _LONGEST_MS and 0 <= self.jitter_ms <= self.delay_ms):
            raise UsageError(
                f"Latency(delay_ms={self.delay_ms:g}, jitter_ms={self.jitter_ms:g}): needs 1 <= delay_ms <= {_LONGEST_MS:,}"
                " and 0 <= jitter_ms <= delay_ms."
            )

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        before = await self._round_trips_ms(environment, targets)
        for _ in range(_MORE_LOOKS):  # on a busy machine one probe may be slow, so try again
            if max(before.values(), default=0) < self._least_ms:
                break
            again = await self._round_trips_ms(environment, targets)
            before = {name: min(ms, again.get(name, ms)) for name, ms in before.items()}
        attributes = {"latency": round(self.delay_ms), "jitter": round(self.jitter_ms)}
        await all_done(
            environment.links.add_toxic(link.name, targets.label, kind="latency", stream="upstream", attributes=attributes)
            for link in targets.links
        )
        during = await self._round_trips_ms(environment, targets)
        if not before.keys() & during.keys():
            return Evidence(acted=None, text="no target answered, so no delay could be measured")
        for _ in range(_MORE_LOOKS if self.jitter_ms else 0):  # jitter may make one probe fast, so try again
            if self._compared(before, during).acted:
                break
            again = await self._round_trips_ms(environment, targets)
            during = {name: max(ms, again.get(name, ms)) for name, ms in during.items()}
        return self._compared(before, during)

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        """Evidence is longer round trips or, if no node answered, the data that the fault plane delayed."""
        try:
            hits = await environment.links.toxic_hits() if injected.acted is None else {}
        finally:
            await all_done(environment.links.remove_toxic(link.name, targets.label) for link in targets.links)
        if injected.acted is not None:
            return injected
        if delayed := sum(hits.get((link.name, targets.label), 0) for link in targets.links):
            return Evidence(acted=True, text=f"{delayed:,} pieces of data delayed")
        return Evidence(acted=False, text=injected.text)

    @property
    def _least_ms(self) -> float:
        """Half of the delay: more than scheduling adds to a probe on loopback."""
        return self.delay_ms / 2

    def _compared(self, before: dict[str, float], during: dict[str, float]) -> Evidence:
        both = {name: (before[name], ms) for name, ms in during.items() if name in before}
        acted = all(ms - before_ms >= self._least_ms for before_ms, ms in both.values())
        text = "; ".join(f"{name} {before_ms:.1f} ms → {ms:.1f} ms" for name, (before_ms, ms) in both.items())
        return Evidence(acted=acted, text=f"round trip {text}")

    async def _round_trips_ms(self, environment: Environment, targets: Targets) -> dict[str, float]:
        """Round trips by link, without links whose target does not answer, because another fault killed it or cut it off."""
        timeout_s = (self.delay_ms + self.jitter_ms) / 1e3 + _ANSWER_S

        async def ask(link: Link) -> float | None:
            try:
                return await environment.links.round_trip_ms(link, timeout_s)
            except FaultError:
                return None

        links = [link for link in targets.links if environment.processes.runs(link.target)]
        times_ms = await asyncio.gather(*map(ask, links))
        return {link.name: ms for link, ms in zip(links, times_ms, strict=True) if ms is not None}
