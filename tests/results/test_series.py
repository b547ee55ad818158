"""The data of a run's charts: figures per slot that agree with all operations, and fair samples."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.history import History
from results.analysis.series import OUTCOMES, sample, slots_of
from tests.helpers.synthetic import crash, spoil, steady


def ops_of(ops: pd.DataFrame) -> pd.DataFrame:
    return History.of(ops).ops


def test_rates_add_up_to_all_calls() -> None:
    ops = crash().ops
    slots = slots_of(ops, end_s=11)
    for name in OUTCOMES:
        assert slots.rate_per_s[name].sum() * slots.width_s == pytest.approx((ops["outcome"] == name).sum())


def test_percentiles_of_a_slot_are_those_of_its_calls() -> None:
    ops = ops_of(spoil(steady(rate=1000), 4, 6, "failed"))
    slots = slots_of(ops, end_s=10)
    width_ns = slots.width_s * 1e9
    for number in range(len(slots.begin_s)):
        inside = ops[(ops["due_ns"] // width_ns == number) & (ops["outcome"] != "failed")]
        latency_ms = ((inside["done_ns"] - inside["due_ns"]) / 1e6).to_numpy()
        if not len(inside):
            assert np.isnan(slots.p99_ms[number])
            continue
        assert slots.p50_ms[number] == np.percentile(latency_ms, 50, method="inverted_cdf")
        assert slots.p99_ms[number] == np.percentile(latency_ms, 99, method="inverted_cdf")


@given(st.integers(0, 3000), st.floats(0.01, 100_000))
def test_slots_are_few_enough_to_draw(calls: int, end_s: float) -> None:
    ops = OPS.iloc[:calls]
    slots = slots_of(ops, end_s)
    assert 1 <= len(slots.begin_s) <= 251
    assert len(slots.p50_ms) == len(slots.p99_ms) == len(slots.begin_s)


OPS = ops_of(steady(rate=1000, seconds=3))


@given(st.integers(1, 4000))
def test_a_sample_keeps_to_its_size_and_order_and_has_the_slowest(at_most: int) -> None:
    found = sample(OPS, at_most)
    assert len(found) == min(at_most, len(OPS))
    assert found.index.is_monotonic_increasing
    assert found.index.is_unique
    latency_ns = OPS["done_ns"] - OPS["due_ns"]
    assert latency_ns.idxmax() in found.index


def test_a_sample_is_fair_over_time() -> None:
    ops = ops_of(steady(rate=1000, seconds=100))
    halves = (sample(ops, 10_000)["due_ns"] < 50e9).mean()
    assert 0.47 < halves < 0.53


def test_a_sample_has_what_is_always_wanted() -> None:
    assert {5, 1234} <= set(sample(OPS, 10, {5, 1234, 10**9}).index)
