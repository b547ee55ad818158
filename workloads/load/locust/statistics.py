"""Merge the engine's counts into locust's statistics: whole intervals at once, without rounding to two digits."""

from __future__ import annotations

import time
from typing import Final

import numpy as np
from locust import stats
from locust.stats import RequestStats, StatsEntry, StatsError

from results.analysis.histogram import Histogram
from workloads.load.engine import Snapshot

_DIGITS: Final = 3
_WINDOW_S: Final = 3


def configure() -> None:
    """Chart p50, p99 and p99.9 over the last seconds, and keep three digits of the latencies of locust's own users, too."""
    stats.PERCENTILES_TO_CHART = [0.5, 0.99, 0.999]
    stats.PERCENTILES_TO_STATISTICS = [0.99, 0.999]
    stats.CURRENT_RESPONSE_TIME_PERCENTILE_WINDOW = _WINDOW_S  # with locust's ten, a fault's beginning would look like a slope
    stats.bucket_response_time = three_digits


def three_digits(response_time_ms: float) -> float:
    """A latency rounded to three significant digits: an error of 0.5% at most; locust's own rounding is up to 5% off."""
    return float(f"{response_time_ms:.{_DIGITS}g}")


def merge(into: RequestStats, method: str, name: str, counted: Snapshot) -> None:
    """Add an interval of the engine's counts to locust's statistics, its total and the entry of this method and name.

    Every count goes where those of locust's own users would: failed, wrong and unknown calls are failures. Calls that failed
    before they were answered have no latency, like locust's "None" response times. Latencies count from a call's due time.
    """
    if ended := counted.ok + counted.failed + counted.wrong + counted.unknown:
        entry = StatsEntry(into, name, method)
        now_s = time.time()
        second = int(now_s - counted.seconds / 2)
        failures = ended - counted.ok
        entry.num_requests = ended
        entry.num_failures = failures
        entry.num_none_requests = max(ended - counted.latency.count, 0)
        entry.response_times = by_ms(counted.latency)
        entry.total_response_time = (counted.latency.mean_ns or 0.0) * counted.latency.count / 1e6
        entry.max_response_time = (counted.latency.max_ns or 0.0) / 1e6
        entry.min_response_time = None if counted.latency.min_ns is None else counted.latency.min_ns / 1e6
        entry.num_reqs_per_sec = {second: ended}
        entry.num_fail_per_sec = {second: failures} if failures else {}
        entry.last_request_timestamp = now_s
        entry.start_time = into.total.start_time
        into.total.extend(entry)
        into.entries[(name, method)].extend(entry)
    for group in counted.failures:
        text = f"{group.reason}: {group.example}" if group.example else group.reason
        key = StatsError.create_key(method, name, text)
        error = into.errors.setdefault(key, StatsError(method, name, text, first_seen=time.time()))
        error.occurrences += group.calls
        error.last_seen = time.time()


def by_ms(histogram: Histogram) -> dict[float, int]:
    """How many calls took how long: the histogram's slots, each with its greatest latency, so exact to 0.1%."""
    slots = np.flatnonzero(histogram.counts)
    counts = histogram.counts[slots].tolist()
    ends_ns = Histogram.greatest_ns(slots).tolist()
    return {end_ns / 1e6: count for end_ns, count in zip(ends_ns, counts, strict=True)}
