"""Guards: limits that stop a drill while it runs. `"availability < 50% for 3s"`."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from harness.model.slo import SLO, Parser

LEAST_CALLS: Final = 10
"""Fewer calls than this are too few to stop a drill."""


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
    """What must not happen: that `condition` is true of all the calls of any `seconds` taken together."""

    text: str
    condition: SLO
    seconds: float

    @classmethod
    def parse(cls, text: str) -> Guard:
        """Read `METRIC COMPARISON NUMBER UNIT for SECONDS`. Raises `UsageError` with a caret under what cannot be read."""
        return _Parser(text).guard()


@dataclass(frozen=True, kw_only=True)
class Look:
    """A load's progress at a time: calls due and calls ok so far, and the latencies of calls completed since the last look."""

    at_s: float
    due: int
    ok: int
    latencies_ms: Sequence[float]


class Watch:
    """A guard while a drill runs. Give it one look after another."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._looks: deque[Look] = deque()

    def passed(self, look: Look) -> str | None:
        """Why this look stops the drill; None if it may go on."""
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
        """The share of due calls that were ok. Calls still in flight count as not ok."""
        due, ok = (getattr(self._looks[-1], name) - getattr(self._looks[0], name) for name in ("due", "ok"))
        return min(1.0, ok / due) if due >= LEAST_CALLS else None

    def _latency_ms(self) -> float | None:
        latencies_ms = [ms for look in list(self._looks)[1:] for ms in look.latencies_ms]
        if len(latencies_ms) < LEAST_CALLS:
            return None
        percentile = self._guard.condition.percentile
        return float(np.percentile(latencies_ms, 100 if percentile is None else percentile, method="inverted_cdf"))
