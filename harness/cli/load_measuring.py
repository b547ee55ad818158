"""Runs one load and observes it: its counts, its state at half time, and a series of intervals for the page."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from results.analysis.histogram import Histogram
from results.record.load_result import Interval
from workloads.load.engine import Engine, EngineTask, Snapshot

_POLL_S: Final = 0.05
_INTERVALS: Final = 240
"""As many as fit on a page."""
_SHORTEST_S: Final = 0.25

Watch = Callable[[Snapshot, Snapshot], None]
"""Called with the counts so far, and with those of the last interval."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A load's measurements; `interrupted` if Ctrl-C ended it."""

    whole: Snapshot
    half: Snapshot
    series: tuple[Interval, ...]
    interrupted: bool


def measure(task: EngineTask, processes: int, watch: Watch) -> Measured:
    """Make the whole load. Ctrl-C ends it with the counts so far. Its processes have ended when this returns."""
    with Engine(task, processes=processes) as engine:
        last = half = whole = engine.snapshot()
        series: list[Interval] = []
        width_s = max(_SHORTEST_S, task.load.seconds / _INTERVALS)
        interrupted = False
        try:
            engine.start()
            while not whole.finished:
                time.sleep(_POLL_S)
                engine.check()
                whole = engine.snapshot()
                if whole.seconds <= task.load.seconds / 2:
                    half = whole
                if whole.finished or whole.seconds - last.seconds >= width_s:
                    part = whole.since(last)
                    series += _interval(last, whole, part)
                    last = whole
                    watch(whole, part)
        except KeyboardInterrupt:
            whole, interrupted = engine.snapshot(), True
        return Measured(whole=whole, half=half, series=tuple(series), interrupted=interrupted)


def _interval(before: Snapshot, after: Snapshot, part: Snapshot) -> list[Interval]:
    """The calls that ended between two snapshots, as one interval; none if no time passed, as after the load's end."""
    if part.seconds <= 0:
        return []
    failed = part.failed + part.wrong
    figures = {name: _ms(part.latency, percentile) for name, percentile in _PERCENTILES.items()}
    return [Interval(from_s=before.seconds, to_s=after.seconds, ok=part.ok, failed=failed, unknown=part.unknown, **figures)]


_PERCENTILES: Final = {"p50_ms": 50.0, "p99_ms": 99.0, "p999_ms": 99.9}


def _ms(latency: Histogram, percentile: float) -> float | None:
    value = latency.percentile_ns(percentile)
    return None if value is None else value / 1e6
