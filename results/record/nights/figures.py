"""The figures by which nights are compared, from a run's result and its history."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pandas as pd

from harness.model.history import History
from harness.model.system import CLIENT
from results.analysis.histogram import Histogram
from results.analysis.metrics import Metrics, has_latency
from results.record.nights.rows import Measure

P50: Final = Measure(name="p50", unit="ms", better="lower")
P99: Final = Measure(name="p99", unit="ms", better="lower")
P999: Final = Measure(name="p99.9", unit="ms", better="lower")
MAX: Final = Measure(name="max", unit="ms", better="lower")
RATE: Final = Measure(name="rate", unit="1/s", better="higher")
AVAILABILITY: Final = Measure(name="availability", unit="", better="higher")
RECOVERY: Final = Measure(name="recovery", unit="s", better="lower")
CPU: Final = Measure(name="cpu", unit="s", better="lower")
MEMORY: Final = Measure(name="memory", unit="MiB", better="lower")
STARTS: Final = Measure(name="starts", unit="starts", better="lower")

OF_DRILLS: Final = {one.name: one for one in (P50, P99, P999, MAX, RATE, AVAILABILITY, RECOVERY, CPU, MEMORY, STARTS)}
"""By name, every figure of a drill."""

_OURS: Final = (CLIENT, "fault-plane", "")
"""In the history's frames: the load generator, the fault plane, the machine."""


def figures_of(metrics: Metrics, history: History) -> tuple[tuple[Measure, float], ...]:
    """Every figure of the run. A recovery that was not seen to end counts as long as it was watched: a lower bound."""
    nodes = tuple((measure, value) for measure, value in _of_nodes(history) if value is not None)
    return (*of_metrics(metrics), *nodes)


def of_metrics(metrics: Metrics) -> tuple[tuple[Measure, float], ...]:
    """The figures that come from calls."""
    found = {
        P50: metrics.p50_ms,
        P99: metrics.p99_ms,
        P999: metrics.p999_ms,
        MAX: metrics.max_ms,
        RATE: metrics.rate_per_s,
        AVAILABILITY: metrics.availability,
        RECOVERY: metrics.recovery_s,
    }
    return tuple((measure, value) for measure, value in found.items() if value is not None)


def _of_nodes(history: History) -> Iterator[tuple[Measure, float | None]]:
    """CPU time and peak memory of the system's nodes, summed, and how often nodes were started.

    A restarted node counts with the CPU time of all its processes, and with the memory of the largest.
    """
    looks = history.usage[~history.usage["node"].isin(_OURS)]
    processes = looks.groupby(["node", "pid"])[["cpu_ns", "peak_bytes"]].max()
    yield CPU, _total(processes["cpu_ns"], 1e9)
    yield MEMORY, _total(processes["peak_bytes"].groupby("node").max(), 2**20)
    events = history.events[~history.events["node"].isin(_OURS)]
    yield STARTS, float((events["kind"] == "started").sum()) if len(events) else None


def _total(values: pd.Series, unit: float) -> float | None:
    """The sum, divided by `unit`; None if a value is missing."""
    return None if values.empty or values.isna().any() else float(values.sum()) / unit


def latencies_of(history: History) -> str | None:
    """The latencies of the load from which `Metrics` are made, as an encoded histogram; None if there are none."""
    calls = history.load[has_latency(history.load)]
    if calls.empty:
        return None
    histogram = Histogram()
    histogram.record((calls["done_ns"] - calls["due_ns"]).to_numpy())
    return histogram.encode()
