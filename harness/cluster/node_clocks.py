"""The wall clocks of a run's nodes, made wrong through the control page of our own nodes or through libfaketime for others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final

from harness.cluster.background import Background
from harness.cluster.fake_clocks import FakeClock
from harness.cluster.probe import Probe
from harness.cluster.steering import Steering
from harness.model.errors import FaultError
from harness.model.evidence import Evidence
from harness.model.steering import Counter, Term
from harness.model.window_work import over_within

_TIMEOUT_S: Final = 1.0

_REWRITE_S: Final = 0.005
"""How often the error of a foreign program's clock is rewritten while it changes."""

_FOREIGN_RESOLUTION_NS: Final = 1_000_000
"""redis-server caches its time and truncates it to milliseconds."""


class NodeClocks:
    """See `harness.model.environment.Clocks`."""

    def __init__(
        self, steering: Mapping[str, Steering], fake: Mapping[str, FakeClock], probe: Probe, background: Background
    ) -> None:
        self._steering = steering
        self._fake = fake
        self._probe = probe
        self._background = background

    def deviate(self, label: str, names: Sequence[str], term: Term) -> None:
        for name in names:
            self._clock(name).deviate(label, term)
        if fake := [self._fake[name] for name in names if name in self._fake]:
            self._background.begin(label, lambda over: _keep_writing(fake, over))

    async def end_deviation(self, label: str, names: Sequence[str]) -> None:
        await self._background.end(label)
        for name in names:
            self._clock(name).end_deviation(label)
            if name in self._fake:
                self._fake[name].write(time.monotonic_ns())

    def deviation_ns(self, name: str, now_ns: int) -> int:
        return self._clock(name).deviation_ns(now_ns)

    def resolution_ns(self, name: str) -> int:
        return _FOREIGN_RESOLUTION_NS if name in self._fake else 0

    def reads(self, name: str) -> int | None:
        clock = self._clock(name)
        return clock.count(Counter.CLOCK_READS) if isinstance(clock, Steering) else None

    async def shown_ns(self, name: str) -> int | None:
        return await self._probe.time_ns(name, _TIMEOUT_S)

    def _clock(self, name: str) -> Steering | FakeClock:
        clock = self._fake.get(name) or self._steering.get(name)
        if clock is None:
            raise FaultError(
                f"{name} is a foreign program, whose clock the harness does not control."
                " Give the node fake_clock=True, or aim at one that has code="
            )
        return clock


async def _keep_writing(clocks: Sequence[FakeClock], over: asyncio.Event) -> Evidence:
    """Keep writing the error of clocks that run fast or jump."""
    while not await over_within(over, _REWRITE_S):
        for clock in clocks:
            clock.write(time.monotonic_ns())
    return Evidence(acted=None, text="")
