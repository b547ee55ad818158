"""The judgement of a load, from what its generator counted."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from harness.model.slo import SLO
from results.analysis.failures import FailureGroup
from results.analysis.histogram import Histogram
from results.analysis.load_judge import judged, metrics_of, verdict_of


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
    saturated: bool = False
    starved_s: float = 0.0
    busy_s: float = 0.0
    queued_s: float = 0.0
    saturated_s: float = 0.0
    blocked_s: float = 0.0
    cpu_s: float = 0.0
    failures: tuple[FailureGroup, ...] = ()
    service: Histogram = field(default_factory=Histogram)
    unanswered: Histogram = field(default_factory=Histogram)
    send_lag: Histogram = field(default_factory=Histogram)
    read_lag: Histogram = field(default_factory=Histogram)

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


@pytest.mark.parametrize(
    ("kinds", "told"), [(2, "4 × r0, 4 × r1"), (3, "4 × r1 and 1 more reason"), (4, "4 × r1 and 2 more reasons")]
)
def test_the_most_frequent_reasons_of_a_load_that_failed(kinds: int, told: str) -> None:
    failures = tuple(FailureGroup(outcome="failed", reason=f"r{kind}", calls=4) for kind in range(kinds))
    counts = Counts(milliseconds(), failed=4 * kinds, failures=failures)
    assert verdict_of(counts, [])[1].endswith(told)


def slo(text: str, counts: Counts) -> bool | None:
    return judged(SLO.parse(text), counts).ok


def test_a_load_without_a_success_never_passes() -> None:
    refused = Counts(Histogram(), failed=100, failures=(FailureGroup(outcome="failed", reason="status 404", calls=100),))
    fast = milliseconds(*[1.0] * 1000)
    lost = Counts(fast, unknown=1000, unanswered=fast)
    for counts in (refused, lost):
        assert verdict_of(counts, [])[0] == "unknown"
        assert slo("p50 < 100ms", counts) is slo("max < 100ms", counts) is None
        metrics = metrics_of(counts)
        assert metrics.p50_ms is metrics.p99_ms is metrics.max_ms is None
        outcomes = [judged(SLO.parse("availability >= 99%"), counts)]
        assert verdict_of(counts, outcomes)[0] == "slo"
    assert "100 × status 404" in verdict_of(refused, [])[1]


def test_a_server_that_never_answers_has_missed_a_shorter_time() -> None:
    waited = milliseconds(*[1000.0] * 1000)
    counts = Counts(waited, unknown=1000, unanswered=waited)
    assert slo("p99 < 100ms", counts) is False
    assert slo("p99 < 2s", counts) is None


def test_calls_without_an_answer_do_not_make_a_percentile_hold() -> None:
    """The connection was lost at once: how long an answer would have taken is unknown."""
    latency = milliseconds(*[1.0] * 980, *[0.1] * 20)
    counts = Counts(latency, unknown=20, unanswered=milliseconds(*[0.1] * 20))
    assert slo("p50 < 100ms", counts) is slo("p90 < 100ms", counts) is True
    assert slo("p99 < 100ms", counts) is slo("max < 100ms", counts) is None


def test_a_server_that_freezes_for_good_cannot_hide_the_calls_that_were_never_sent() -> None:
    latency = milliseconds(*[1.0] * 1000, *[5000.0] * 1000)
    counts = Counts(latency, failed=1000, unanswered=milliseconds(*[5000.0] * 1000))
    assert slo("p99 < 50ms", counts) is False
    assert slo("p99 < 6s", counts) is None
    assert slo("p50 < 50ms", counts) is True


def test_what_the_generator_may_have_added_is_not_blamed_on_the_server() -> None:
    slow = milliseconds(*[120.0] * 1000)
    lag = milliseconds(*[15.0] * 1000)
    assert slo("p99 < 100ms", Counts(slow)) is False
    assert slo("p99 < 100ms", Counts(slow, send_lag=lag)) is False
    assert slo("p99 < 100ms", Counts(slow, send_lag=lag, read_lag=lag)) is None


def test_a_saturated_generator_is_unknown_and_says_so() -> None:
    counts = Counts(milliseconds(*[500.0] * 1000), late=True, saturated=True, saturated_s=0.9, seconds=1)
    verdict, why = verdict_of(counts, [judged(SLO.parse("p99 < 100ms"), counts)])
    assert verdict == "unknown"
    assert "the generator was the limit, not the server" in why


def test_calls_that_a_saturated_generator_never_sent_are_not_the_servers_failures() -> None:
    unsent = FailureGroup(outcome="failed", reason="not sent: no connection was free to the end", calls=100)
    counts = Counts(Histogram(), failed=100, failures=(unsent,), late=True, saturated=True, saturated_s=0.9)
    for slos in ([], [judged(SLO.parse("availability >= 99%"), counts)]):
        verdict, why = verdict_of(counts, slos)
        assert verdict == "unknown"
        assert "the generator was the limit, not the server" in why


def test_waiting_for_connections_is_mentioned_beside_a_missed_slo() -> None:
    counts = Counts(milliseconds(*[500.0] * 1000), blocked_s=0.8)
    verdict, why = verdict_of(counts, [judged(SLO.parse("p99 < 100ms"), counts)])
    assert verdict == "slo"
    assert "raise --connections" in why


def test_figures_that_have_too_few_samples_are_not_given() -> None:
    metrics = metrics_of(Counts(FAST))
    assert metrics.p50_ms == metrics.p99_ms == pytest.approx(1, rel=1e-3)
    assert metrics.p999_ms is None
    assert (metrics.requests, metrics.availability, metrics.rate_per_s) == (1000, 1.0, 1000)
