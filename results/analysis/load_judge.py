"""The judgement of a load on any HTTP server, from what its generator counted. The rules are in `docs/load.md`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from harness.model.slo import SLO
from harness.model.verdict import RunVerdict
from results.analysis.failures import FailureGroup
from results.analysis.histogram import Histogram
from results.analysis.judge import SLOResult, show
from results.analysis.metrics import Metrics
from results.analysis.sample_sizes import CONFIDENCE, at_least, samples_needed

_BLOCKED_SHARE = 0.1
"""If calls waited for a connection for a larger share of the time, the report says so."""


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
    def unanswered(self) -> Histogram: ...
    @property
    def send_lag(self) -> Histogram: ...
    @property
    def read_lag(self) -> Histogram: ...
    @property
    def cpu_s(self) -> float: ...
    @property
    def starved_s(self) -> float: ...
    @property
    def busy_s(self) -> float: ...
    @property
    def queued_s(self) -> float: ...
    @property
    def saturated_s(self) -> float: ...
    @property
    def blocked_s(self) -> float: ...
    @property
    def failures(self) -> tuple[FailureGroup, ...]: ...
    @property
    def late(self) -> bool: ...
    @property
    def saturated(self) -> bool: ...


def percentile_ms(histogram: Histogram, percentile: float) -> float | None:
    """A percentile; None if there are too few samples for it."""
    value = histogram.percentile_ns(percentile)
    return value / 1e6 if value is not None and histogram.enough_for(percentile) else None


def metrics_of(counted: Counted) -> Metrics:
    """The figures. There are no latencies without a single success: how fast calls failed says nothing."""
    latency = counted.latency if counted.ok else Histogram()
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
    """One SLO: met, missed or unknown."""
    if slo.percentile is not None or slo.metric == "max":
        return _judged_latency(slo, slo.percentile or 100.0, counted)
    metrics = metrics_of(counted)
    value = {
        "availability": metrics.availability,
        "rate": metrics.rate_per_s if metrics.requests else None,
        "requests": float(metrics.requests),
    }[slo.metric]
    if value is None:
        return SLOResult(text=slo.text, value=None, ok=None, why="no calls to judge it by")
    return SLOResult(text=slo.text, value=value, ok=slo.holds(value), why=f"observed {show(slo, value)}")


def _judged_latency(slo: SLO, percentile: float, counted: Counted) -> SLOResult:
    """A percentile; the maximum is the hundredth. Unanswered calls took at least as long as they were waited for, which can
    show that an SLO was missed, but never that it was met."""
    found = counted.latency.percentile_ns(percentile)
    if found is None:
        return SLOResult(text=slo.text, value=None, ok=None, why="no calls to judge it by")
    value = found / 1e6
    why = f"observed {show(slo, value)}"
    if not slo.holds(value):
        return _missed(slo, percentile, value, why, counted)
    if not counted.ok:
        return SLOResult(text=slo.text, value=None, ok=None, why="no call succeeded, so there is no latency to judge")
    if slo.percentile is not None and not counted.latency.enough_for(percentile):
        return _too_few(slo, percentile, value, why, counted)
    if unanswered := counted.unanswered.count:
        answered = Histogram(counted.latency.counts - counted.unanswered.counts)
        most = answered.percentile_ns(percentile, beyond=unanswered)
        if most is None or not slo.holds(most / 1e6):
            why = f"{unanswered:,} calls had no answer, and with these it may be any value above {show(slo, value)}"
            return SLOResult(text=slo.text, value=value, ok=None, why=why)
    return SLOResult(text=slo.text, value=value, ok=True, why=why)


def _missed(slo: SLO, percentile: float, value: float, why: str, counted: Counted) -> SLOResult:
    own_ns = sum(lag.percentile_ns(percentile) or 0.0 for lag in (counted.send_lag, counted.read_lag))
    if slo.holds(value - own_ns / 1e6):
        why += f", of which up to {own_ns / 1e6:.3g} ms may be the generator's own delay"
        return SLOResult(text=slo.text, value=value, ok=None, why=why)
    if slo.percentile is None or counted.latency.enough_for(percentile):
        return SLOResult(text=slo.text, value=value, ok=False, why=why)
    samples, over = counted.latency.count, counted.latency.above(slo.threshold * 1e6)
    if at_least(over, samples, 1 - percentile / 100) < 1 - CONFIDENCE:
        return SLOResult(text=slo.text, value=value, ok=False, why=f"{why}; {over:,} of only {samples:,} calls rule it out")
    return _too_few(slo, percentile, value, why, counted)


def _too_few(slo: SLO, percentile: float, value: float, why: str, counted: Counted) -> SLOResult:
    needed = samples_needed(percentile)
    why = f"too few: {counted.latency.count:,} calls, {slo.metric} needs {needed:,}; {why}"
    return SLOResult(text=slo.text, value=value, ok=None, why=why)


def verdict_of(counted: Counted, slos: Sequence[SLOResult]) -> tuple[RunVerdict, str]:
    """The verdict, and why. Wrong answers outweigh a generator that was the bottleneck, which outweighs a missed SLO. A load
    without a single success is unknown, unless an SLO was missed: nothing of the server was measured."""
    if counted.wrong:
        return "fail", f"{counted.wrong:,} answers were not as expected"
    if not counted.latency.count and not counted.failed:
        return "unknown", "no call was made"
    missed = [slo for slo in slos if slo.ok is False]
    if not counted.ok and not counted.saturated and (counted.late or not missed):
        return "unknown", f"no call succeeded: {_most(counted.failures)}"
    if counted.late:
        return "unknown", why_late(counted)
    if missed:
        return "slo", "; ".join(f"{slo.text}: {slo.why}" for slo in missed) + _blocked(counted)
    if unclear := [slo for slo in slos if slo.ok is None]:
        return "unknown", "; ".join(f"{slo.text}: {slo.why}" for slo in unclear)
    return "pass", "every SLO held" if slos else "no SLO was asked for"


def why_late(counted: Counted) -> str:
    """Why a load says nothing about the server although it ran: for loads that are `counted.late`."""
    if counted.saturated:
        queued = counted.queued_s > _BLOCKED_SHARE * counted.seconds
        starved = f", and waited for a processor for {counted.queued_s:.3g} s" if queued else ""
        return (
            f"the generator was the limit, not the server: it had no time to spare for {counted.saturated_s:.3g} of"
            f" {counted.seconds:.3g} s, while calls waited for it{starved}. Lower the rate, or "
            + ("give it a core" if queued else "add --processes if there are free cores")
        )
    lag = counted.send_lag.percentile_ns(99) or 0.0
    return (
        f"the generator was late, not the server: it did not get the processor for {counted.starved_s:.3g} of "
        f"{counted.seconds:.3g} s, p99 of its own delay is {lag / 1e6:.3g} ms. Lower the rate, or give it a core"
    )


def _blocked(counted: Counted) -> str:
    if counted.blocked_s <= _BLOCKED_SHARE * counted.seconds:
        return ""
    return (
        f". For {counted.blocked_s:.3g} of {counted.seconds:.3g} s calls waited for a free connection; if the server can answer"
        " more at once, raise --connections"
    )


def _most(groups: Sequence[FailureGroup]) -> str:
    """The two largest groups of failures in a few words."""
    shown = ", ".join(f"{group.calls:,} × {group.reason}" for group in groups[:2])
    left = len(groups) - 2
    return f"{shown} and {left} more reason{'s' if left > 1 else ''}" if left > 0 else shown
