"""What a load on any HTTP server came to: its figures, its SLOs, its verdict; judged by the rules of `docs/metrics.md`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from harness.model.slo import SLO
from harness.model.verdict import RunVerdict
from results.analysis.histogram import Histogram
from results.analysis.judge import SLOResult, show
from results.analysis.metrics import Metrics
from results.analysis.sample_sizes import CONFIDENCE, at_least, samples_needed


class Counted(Protocol):
    """What the load engine counted (`workloads.load.engine.Snapshot`)."""

    @property
    def seconds(self) -> float: ...
    @property
    def due(self) -> int: ...
    @property
    def ok(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def wrong(self) -> int: ...
    @property
    def unknown(self) -> int: ...
    @property
    def latency(self) -> Histogram: ...
    @property
    def service(self) -> Histogram: ...
    @property
    def send_lag(self) -> Histogram: ...
    @property
    def cpu_s(self) -> float: ...
    @property
    def starved_s(self) -> float: ...
    @property
    def errors(self) -> dict[str, int]: ...
    @property
    def late(self) -> bool: ...


class LoadResult(msgspec.Struct, frozen=True, kw_only=True):
    """What `harness load --json` writes. Latency counts from when a call was due, service from when it was sent."""

    url: str
    verdict: RunVerdict
    why: str
    asked_per_s: float
    arrivals: str
    seconds: float
    connections: int
    depth: int
    processes: int
    seed: int
    slos: tuple[SLOResult, ...]
    metrics: Metrics
    """Percentiles that have too few samples are null."""
    service_p50_ms: float | None
    service_p99_ms: float | None
    send_lag_p99_ms: float | None
    failed: int
    wrong: int
    unknown: int
    errors: dict[str, int]
    cpu_s: float
    latency_histogram: str
    """HdrHistogram V2, compressed, base64; nanoseconds."""
    service_histogram: str
    max_rate_per_s: float | None = None
    """The highest rate that held, where it was looked for."""
    steps: tuple[str, ...] = ()


def percentile_ms(histogram: Histogram, percentile: float) -> float | None:
    """A percentile, or None where there are too few samples for it."""
    value = histogram.percentile_ns(percentile)
    return value / 1e6 if value is not None and histogram.enough_for(percentile) else None


def metrics_of(counted: Counted) -> Metrics:
    latency = counted.latency
    return Metrics(
        requests=counted.due,
        rate_per_s=counted.ok / counted.seconds if counted.seconds else 0.0,
        p50_ms=percentile_ms(latency, 50),
        p99_ms=percentile_ms(latency, 99),
        p999_ms=percentile_ms(latency, 99.9),
        max_ms=None if latency.max_ns is None else latency.max_ns / 1e6,
        availability=counted.ok / counted.due if counted.due else None,
        recovery_s=None,
    )


def judged(slo: SLO, counted: Counted) -> SLOResult:
    """One SLO, as `results.analysis.judge.judge` does it, from a histogram."""
    metrics = metrics_of(counted)
    value = {
        "max": metrics.max_ms,
        "availability": metrics.availability,
        "rate": metrics.rate_per_s if metrics.requests else None,
        "requests": float(metrics.requests),
    }.get(slo.metric)
    if slo.percentile is not None:
        found = counted.latency.percentile_ns(slo.percentile)
        value = None if found is None else found / 1e6
    if value is None:
        return SLOResult(text=slo.text, value=None, ok=None, why="no calls to judge it by")
    why = f"observed {show(slo, value)}"
    if slo.percentile is None or counted.latency.enough_for(slo.percentile):
        return SLOResult(text=slo.text, value=value, ok=slo.holds(value), why=why)
    samples, over = counted.latency.count, counted.latency.above(slo.threshold * 1e6)
    if at_least(over, samples, 1 - slo.percentile / 100) < 1 - CONFIDENCE:
        return SLOResult(text=slo.text, value=value, ok=False, why=f"{why}; {over:,} of only {samples:,} calls rule it out")
    needed = samples_needed(slo.percentile)
    return SLOResult(
        text=slo.text, value=value, ok=None, why=f"too few: {samples:,} calls, {slo.metric} needs {needed:,}; {why}"
    )


def verdict_of(counted: Counted, slos: Sequence[SLOResult]) -> tuple[RunVerdict, str]:
    """The verdict, and why: wrong answers outweigh a generator that was late, which outweighs an SLO."""
    if counted.wrong:
        return "fail", f"{counted.wrong:,} answers were not what --expect says"
    if not counted.latency.count and not counted.failed:
        return "unknown", "no call was made"
    if counted.late:
        lag = counted.send_lag.percentile_ns(99) or 0.0
        return "unknown", (
            f"the generator was late, not the server: it did not get the processor for {counted.starved_s:.3g} of "
            f"{counted.seconds:.3g} s, p99 of its own delay is {lag / 1e6:.3g} ms. Lower --rate, or give it a core"
        )
    if missed := [slo for slo in slos if slo.ok is False]:
        return "slo", "; ".join(f"{slo.text}: {slo.why}" for slo in missed)
    if unclear := [slo for slo in slos if slo.ok is None]:
        return "unknown", "; ".join(f"{slo.text}: {slo.why}" for slo in unclear)
    return "pass", "every SLO held" if slos else "no SLO was asked for"
