"""Guards: the limit at which a drill is stopped, watched while it runs. `"availability < 50% for 3s"`."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from harness.model.slo import SLO, Parser

LEAST_CALLS: Final = 10
"""Fewer calls than this say too little for a drill to be stopped by them."""


class _Parser(Parser):
    noun = "guard"
    metrics = ("availability", "max")
    good = False

    def guard(self) -> Guard:
        condition, seconds = self.condition(), self.seconds()
        self.end("the time")
        return Guard(text=self.text.strip(), condition=condition, seconds=seconds)


@dataclass(frozen=True)
class Guard:
    """What must not come about: that `condition` is true of all calls of some `seconds` taken together."""

    text: str
    condition: SLO
    seconds: float

    @classmethod
    def parse(cls, text: str) -> Guard:
        """Read `METRIC COMPARISON NUMBER UNIT for SECONDS`. Raises `UsageError` with a caret under what cannot be read."""
        return _Parser(text).guard()


@dataclass(frozen=True, kw_only=True)
class Look:
    """How far a load was at a time: calls due and answered well so far, and the latencies of those over since the last look."""

    at_s: float
    due: int
    ok: int
    latencies_ms: Sequence[float]


class Watch:
    """A guard on duty. Show it one look after another."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._looks: deque[Look] = deque()

    def passed(self, look: Look) -> str | None:
        """Why the drill is to be stopped, as of this look; None if it may go on."""
        self._looks.append(look)
        while len(self._looks) > 2 and look.at_s - self._looks[1].at_s >= self._guard.seconds:
            self._looks.popleft()
        if look.at_s - self._looks[0].at_s < self._guard.seconds:
            return None
        condition = self._guard.condition
        value = self._availability() if condition.metric == "availability" else self._latency_ms()
        if value is None or not condition.holds(value):
            return None
        shown = f"{value:.1%}" if condition.metric == "availability" else f"{value:,.0f} ms"
        return f"{condition.metric} was {shown} over the last {self._guard.seconds:g} s"

    def _availability(self) -> float | None:
        """Calls answered well for each that fell due. Those still under way count as not answered."""
        due, ok = (getattr(self._looks[-1], name) - getattr(self._looks[0], name) for name in ("due", "ok"))
        return min(1.0, ok / due) if due >= LEAST_CALLS else None

    def _latency_ms(self) -> float | None:
        latencies_ms = [ms for look in list(self._looks)[1:] for ms in look.latencies_ms]
        if len(latencies_ms) < LEAST_CALLS:
            return None
        percentile = self._guard.condition.percentile
        return float(np.percentile(latencies_ms, 100 if percentile is None else percentile, method="inverted_cdf"))
