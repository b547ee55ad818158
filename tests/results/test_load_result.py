"""The judgement of a load, from what its generator counted."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from harness.model.slo import SLO
from results.analysis.histogram import Histogram
from results.record.load_result import judged, metrics_of, verdict_of


def milliseconds(*values: float) -> Histogram:
    histogram = Histogram()
    histogram.record((np.array(values) * 1e6).astype(np.int64))
    return histogram


@dataclass
class Counts:
    latency: Histogram
    seconds: float = 1.0
    failed: int = 0
    wrong: int = 0
    unknown: int = 0
    late: bool = False
    starved_s: float = 0.0
    cpu_s: float = 0.0
    errors: dict[str, int] = field(default_factory=dict)
    service: Histogram = field(default_factory=Histogram)
    send_lag: Histogram = field(default_factory=Histogram)

    @property
    def ok(self) -> int:
        return self.latency.count - self.wrong - self.unknown

    @property
    def due(self) -> int:
        return self.latency.count + self.failed


FAST = milliseconds(*[1.0] * 1000)


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        (Counts(FAST), "pass"),
        (Counts(FAST, wrong=1), "fail"),
        (Counts(FAST, late=True), "unknown"),
        (Counts(FAST, failed=500), "slo"),
        (Counts(milliseconds(*[1.0] * 600)), "unknown"),
        (Counts(milliseconds(*[500.0] * 1000)), "slo"),
        (Counts(milliseconds(*[500.0] * 20)), "slo"),
        (Counts(milliseconds()), "unknown"),
    ],
)
def test_verdicts(counts: Counts, verdict: str) -> None:
    slos = [judged(SLO.parse(text), counts) for text in ("p99 < 100ms", "availability >= 99%")]
    assert verdict_of(counts, slos)[0] == verdict


def test_figures_that_have_too_few_samples_are_not_given() -> None:
    metrics = metrics_of(Counts(FAST))
    assert metrics.p50_ms == metrics.p99_ms == pytest.approx(1, rel=1e-3)
    assert metrics.p999_ms is None
    assert (metrics.requests, metrics.availability, metrics.rate_per_s) == (1000, 1.0, 1000)
