"""Histograms: their error bound, merging, and how other HdrHistogram tools read them."""

from __future__ import annotations

import base64
import math
import zlib

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.model.errors import UsageError
from results.analysis.histogram import Histogram
from results.analysis.sample_sizes import samples_needed
from tests.helpers.effort import cases

HOUR_NS = 3_600_000_000_000
values = st.one_of(st.integers(0, HOUR_NS), st.integers(0, 5000), st.integers(0, 41).map(lambda bits: 1 << bits))
samples = st.lists(values, min_size=1, max_size=200)


def of(numbers: list[int]) -> Histogram:
    histogram = Histogram()
    histogram.record(np.array(numbers, np.int64))
    return histogram


@settings(deadline=None)
@given(values)
def test_a_value_is_known_to_a_thousandth(value: int) -> None:
    histogram = of([value])
    found = (histogram.min_ns, histogram.mean_ns, histogram.max_ns, histogram.percentile_ns(50))
    assert all(one is not None and abs(one - value) <= value * 0.001 for one in found)


@settings(deadline=None)
@given(samples, st.floats(0.1, 100))
def test_percentiles_are_those_of_the_values_rounded_up_by_a_thousandth_at_most(numbers: list[int], percentile: float) -> None:
    exact = sorted(numbers)[max(1, math.ceil(round(percentile * len(numbers) / 100, 6))) - 1]
    found = of(numbers).percentile_ns(percentile)
    assert found is not None
    assert exact <= found <= exact * 1.001


@settings(deadline=None)
@given(samples, samples)
def test_merging_is_recording_all_and_since_undoes_it(one: list[int], other: list[int]) -> None:
    merged = of(one)
    earlier = merged.copy()
    merged.merge(of(other))
    assert (merged.counts == of(one + other).counts).all()
    assert (merged.since(earlier).counts == of(other).counts).all()
    assert merged.count == len(one) + len(other)


@settings(deadline=None, max_examples=cases(40))
@given(samples, st.integers(1, 1 << 40))
def test_the_hdrhistogram_package_reads_what_is_written(numbers: list[int], times: int) -> None:
    histogram = of(numbers)
    histogram.counts *= times
    read = HdrHistogram.decode(histogram.encode())
    assert read.get_total_count() == histogram.count
    assert [read.get_count_at_index(slot) for slot in range(Histogram.SIZE)] == histogram.counts.tolist()
    assert (Histogram.decode(histogram.encode()).counts == histogram.counts).all()


@settings(deadline=None, max_examples=cases(40))
@given(samples, st.integers(1, 1 << 40))
def test_what_the_hdrhistogram_package_writes_is_read(numbers: list[int], times: int) -> None:
    theirs = HdrHistogram(1, HOUR_NS, 3)
    for number in numbers:
        theirs.record_value(number, times)
    assert (Histogram.decode(theirs.encode().decode()).counts == of(numbers).counts * times).all()


def test_an_empty_one_travels_and_has_no_figures() -> None:
    empty = Histogram.decode(Histogram().encode())
    assert empty.count == HdrHistogram.decode(Histogram().encode()).get_total_count() == 0
    assert (empty.min_ns, empty.max_ns, empty.mean_ns, empty.percentile_ns(99)) == (None, None, None, None)


def test_more_than_an_hour_counts_as_an_hour() -> None:
    assert (of([HOUR_NS * 5]).counts == of([HOUR_NS]).counts).all()


def test_an_array_is_wrapped_and_not_copied() -> None:
    counts = np.zeros(Histogram.SIZE, np.int64)
    Histogram(counts).record(np.array([7]))
    assert counts[7] == 1
    with pytest.raises(ValueError, match="33792 counts"):
        Histogram(np.zeros(3, np.int64))


@pytest.mark.parametrize("percentile", [50, 99, 99.9])
def test_a_percentile_needs_its_samples(percentile: float) -> None:
    needed = samples_needed(percentile)
    assert of([1] * needed).enough_for(percentile)
    assert not of([1] * (needed - 1)).enough_for(percentile)


def test_values_above_a_threshold_are_counted() -> None:
    histogram = of([10, 20, 20, 2_000_000])
    assert [histogram.above(value) for value in (0, 10, 19.9, 20, 1e6, 1e18)] == [4, 3, 3, 1, 1, 0]


GOOD = of([5, 900_000]).encode()


@pytest.mark.parametrize(
    "text", ["", "?", "AAAA", GOOD[:-8], GOOD[:20], HdrHistogram(1, 10**6, 2).encode().decode(), "HISTFAAA" * 4]
)
def test_what_is_not_one_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no compressed HdrHistogram V2"):
        Histogram.decode(text)


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_garbage_is_refused_and_nothing_worse(garbage: bytes) -> None:
    packed = zlib.compress(garbage)
    text = base64.b64encode(b"\x1c\x84\x93\x14" + len(packed).to_bytes(4, "big") + packed).decode()
    with pytest.raises(UsageError):
        Histogram.decode(text)
