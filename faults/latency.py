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
from harness.model.window_work import all_done, unless_over

_BEFORE_S: Final = 0.25
"""The delay begins after this at the latest: a target that does not answer before it must not hold it up."""

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
        before = await self._before_ms(environment, targets)
        attributes = {"latency": round(self.delay_ms), "jitter": round(self.jitter_ms)}
        began_ns = environment.monotonic_ns()
        await all_done(
            environment.links.add_toxic(link.name, targets.label, kind="latency", stream="upstream", attributes=attributes)
            for link in targets.links
        )
        # In the background: a target that answers late, or not at all, must not hold up the end of the window.
        environment.background.begin(targets.label, lambda over: self._seen(environment, targets, before, over))
        return Evidence(acted=None, text="", began_ns=began_ns)

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        """Evidence is longer round trips or, if no target answered, the data that the fault plane delayed."""
        try:
            seen = await environment.background.end(targets.label) or injected
            hits = await environment.links.toxic_hits() if seen.acted is None else {}
        finally:
            await all_done(environment.links.remove_toxic(link.name, targets.label) for link in targets.links)
        if seen.acted is not None:
            return seen
        if delayed := sum(hits.get((link.name, targets.label), 0) for link in targets.links):
            return Evidence(acted=True, text=f"{delayed:,} pieces of data delayed")
        return Evidence(acted=False, text="no target answered, so no delay could be measured")

    @property
    def _least_ms(self) -> float:
        """Half of the delay: more than scheduling adds to a probe on loopback."""
        return self.delay_ms / 2

    async def _before_ms(self, environment: Environment, targets: Targets) -> dict[str, float]:
        """The shortest round trip of each link before the delay, as far as `_BEFORE_S` allows."""
        clock, before = asyncio.get_running_loop().time, dict[str, float]()
        until_s = clock() + _BEFORE_S
        for _ in range(1 + _MORE_LOOKS):  # on a busy machine one probe may be slow, so try again
            if (left_s := until_s - clock()) <= 0:
                break
            again = await self._round_trips_ms(environment, targets, left_s)
            before |= {name: min(ms, before.get(name, ms)) for name, ms in again.items()}
            if max(again.values(), default=0) < self._least_ms:
                break
        return before

    async def _seen(
        self, environment: Environment, targets: Targets, before: dict[str, float], over: asyncio.Event
    ) -> Evidence:
        """Compare round trips with those before. Evidence is not known if none can be compared until the window is over."""
        timeout_s = (self.delay_ms + self.jitter_ms) / 1e3 + _ANSWER_S
        during: dict[str, float] = {}
        for _ in range(1 + (_MORE_LOOKS if self.jitter_ms else 0)):  # jitter may make one probe fast, so try again
            again = await unless_over(over, self._round_trips_ms(environment, targets, timeout_s))
            during |= {name: max(ms, during.get(name, ms)) for name, ms in (again or {}).items()}
            if over.is_set() or self._compared(before, during).acted:
                break
        return self._compared(before, during)

    def _compared(self, before: dict[str, float], during: dict[str, float]) -> Evidence:
        both = {name: (before[name], ms) for name, ms in during.items() if name in before}
        if not both:
            return Evidence(acted=None, text="")
        acted = all(ms - before_ms >= self._least_ms for before_ms, ms in both.values())
        text = "; ".join(f"{name} {before_ms:.1f} ms → {ms:.1f} ms" for name, (before_ms, ms) in both.items())
        return Evidence(acted=acted, text=f"round trip {text}")

    async def _round_trips_ms(self, environment: Environment, targets: Targets, timeout_s: float) -> dict[str, float]:
        """Round trips by link, without links whose target does not answer, because another fault stops it or cuts it off."""

        async def ask(link: Link) -> float | None:
            try:
                return await environment.links.round_trip_ms(link, timeout_s)
            except FaultError:
                return None

        processes = environment.processes
        links = [link for link in targets.links if processes.runs(link.target) and processes.state(link.target) != "stopped"]
        times_ms = await asyncio.gather(*map(ask, links))
        return {link.name: ms for link, ms in zip(links, times_ms, strict=True) if ms is not None}
