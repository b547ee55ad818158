"""The meaning of each figure, on histories whose figures are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.history import History
from harness.model.load import NEVER_SENT
from harness.model.slo import SLO
from results.analysis.histogram import Histogram
from results.analysis.judge import judge
from results.analysis.metrics import measure
from results.analysis.series import slots_of
from results.record.nights.figures import latencies_of
from tests.helpers.synthetic import crash, spoil, steady


def of_latencies(latencies_ms: list[float], outcomes: list[str] | None = None, phase: str = "load") -> History:
    outcomes = outcomes or ["ok"] * len(latencies_ms)
    return History.of(
        [
            {
                "phase": phase,
                "client": 0,
                "kind": "read",
                "key": "k",
                "outcome": outcome,
                "due_ns": index * 10_000_000,
                "sent_ns": index * 10_000_000 + 500_000,
                "done_ns": index * 10_000_000 + int(latency_ms * 1e6),
            }
            for index, (latency_ms, outcome) in enumerate(zip(latencies_ms, outcomes, strict=True))
        ]
    )


def test_latency_counts_from_when_a_call_was_due() -> None:
    metrics = measure(of_latencies([1, 2, 3, 4])).metrics()
    assert (metrics.p50_ms, metrics.p99_ms, metrics.max_ms) == (2, 4, 4)


def test_unknown_calls_count_with_the_time_waited_and_failed_ones_do_not() -> None:
    metrics = measure(of_latencies([1, 1000, 7], ["ok", "unknown", "failed"])).metrics()
    assert metrics.max_ms == 1000
    assert metrics.p50_ms == 1
    assert metrics.availability == pytest.approx(1 / 3)
    assert metrics.requests == 3


def test_calls_that_a_frozen_system_kept_from_being_sent_count_with_the_time_waited() -> None:
    history = of_latencies([1.0] * 700 + [3000.0] * 300, ["ok"] * 700 + ["failed"] * 300)
    refused = measure(history, timeout_ms=1000)
    assert refused.metrics().p99_ms == 1
    history.ops.loc[700:, "error"] = NEVER_SENT
    found = measure(history, timeout_ms=1000)
    assert found.metrics().p99_ms == 3000
    assert found.metrics().availability == 0.7
    assert judge(SLO.parse("p99 < 50ms"), found).ok is False
    assert judge(SLO.parse("p99 < 5s"), found).ok is None


def test_what_is_drawn_and_kept_of_latencies_is_what_the_figures_are_made_from() -> None:
    history = of_latencies([1.0] * 700 + [3000.0] * 300, ["ok"] * 700 + ["failed"] * 300)
    assert np.isnan(slots_of(history.ops, end_s=10).p99_ms[-1])
    history.ops.loc[700:, "error"] = NEVER_SENT
    assert slots_of(history.ops, end_s=10).p99_ms[-1] == 3000
    encoded = latencies_of(history)
    assert encoded is not None
    assert Histogram.decode(encoded).percentile_ns(99) == pytest.approx(3e9, rel=0.001)


@pytest.mark.parametrize(("took_ms", "ok"), [(999.2, None), (1000.0, None), (980.0, True)])
def test_a_timer_may_give_a_call_up_a_moment_too_early(took_ms: float, ok: bool | None) -> None:
    history = of_latencies([1.0] * 999 + [took_ms + 0.5], ["ok"] * 999 + ["unknown"])
    assert judge(SLO.parse("max < 2s"), measure(history, timeout_ms=1000)).ok is ok


def test_nothing_to_measure() -> None:
    metrics = measure(of_latencies([])).metrics()
    assert (metrics.requests, metrics.rate_per_s) == (0, 0)
    assert metrics.p50_ms is metrics.max_ms is metrics.availability is metrics.recovery_s is None


def test_only_failed_calls() -> None:
    metrics = measure(of_latencies([1, 2], ["failed", "failed"])).metrics()
    assert metrics.p99_ms is None
    assert metrics.availability == 0
    assert metrics.rate_per_s == 0


def test_final_calls_are_not_part_of_the_load() -> None:
    assert measure(of_latencies([1, 2], phase="final")).metrics().requests == 0


def test_rate_is_over_the_time_of_the_load() -> None:
    history = History.of(steady(rate=100, seconds=10))
    assert measure(history, load_s=10).metrics().rate_per_s == pytest.approx(100)
    assert measure(history, load_s=20).metrics().rate_per_s == pytest.approx(50)


def test_a_system_that_falls_behind_is_not_credited_with_the_rate_it_was_asked_for() -> None:
    ops = steady(rate=100, seconds=1)
    ops["done_ns"] = ops["due_ns"] * 10
    ops["sent_ns"] = ops["done_ns"]
    assert measure(History.of(ops), load_s=1).metrics().rate_per_s == pytest.approx(100 / 9.9)


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=300), st.sampled_from([1.0, 50, 90, 95, 99, 99.9, 99.99]))
def test_a_percentile_is_the_least_sample_that_covers_its_share(latencies_ms: list[int], percentile: float) -> None:
    found = measure(of_latencies([float(value) for value in latencies_ms])).percentile_ms(percentile)
    assert found in latencies_ms
    covered = sum(value <= found for value in latencies_ms)
    assert covered * 100 >= percentile * len(latencies_ms)
    below = sum(value < found for value in latencies_ms)
    assert below * 100 < percentile * len(latencies_ms)
    assert found == np.percentile(latencies_ms, percentile, method="inverted_cdf")


def test_recovery_spans_the_gap() -> None:
    measured = measure(crash(outage_s=0.6), load_s=10)
    (recovery,) = measured.recoveries
    assert (recovery.window, recovery.censored) == ("w0", False)
    assert recovery.seconds == pytest.approx(0.6)
    assert measured.metrics().recovery_s == recovery.seconds


def test_slow_calls_are_good_service_only_without_a_p99_threshold() -> None:
    slow = spoil(steady(), 4.0, 5.5, "ok", latency_ms=80)
    history = History.of(slow, crash().windows)
    assert measure(history).metrics().recovery_s == 0
    assert measure(history, [SLO.parse("p99 < 50ms")]).metrics().recovery_s == pytest.approx(1.5)
    assert measure(history, [SLO.parse("p99.9 < 50ms")]).metrics().recovery_s == 0


def test_the_p99_threshold_itself_counts_as_its_comparison_says() -> None:
    ops = spoil(steady(), 4.0, 5.5, "ok", latency_ms=50)
    history = History.of(ops, crash().windows)
    assert measure(history, [SLO.parse("p99 < 50ms")]).metrics().recovery_s == pytest.approx(1.5)
    assert measure(history, [SLO.parse("p99 <= 50ms")]).metrics().recovery_s == 0


@given(st.floats(0.05, 9.9))
def test_a_sorted_clock_of_any_scale_gives_finite_figures(seconds: float) -> None:
    metrics = measure(History.of(steady(rate=50, seconds=seconds))).metrics()
    assert math.isfinite(metrics.rate_per_s)
