"""A run's operations reduced to what fits on a page: figures per slot of time, and a fair sample of the operations."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from results.analysis.metrics import has_latency

OUTCOMES: Final = ("ok", "failed", "unknown")
_WIDTHS_S: Final = (0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
_SLOTS_AT_MOST: Final = 250
_CALLS_PER_SLOT: Final = 20
_EXTREMES_SHARE: Final = 0.1
"""The share of a sample that the slowest operations get."""


@dataclass(frozen=True, kw_only=True)
class Slots:
    """Figures for slots of equal width: latencies of the calls due in a slot, rates of the calls that ended in it."""

    width_s: float
    begin_s: NDArray[np.float64]
    p50_ms: NDArray[np.float64]
    """NaN if no call due in the slot has a latency that counts: all failed, or none was due."""
    p99_ms: NDArray[np.float64]
    rate_per_s: dict[str, NDArray[np.float64]]
    """By outcome."""


def slots_of(ops: pd.DataFrame, end_s: float) -> Slots:
    """Cut a run from 0 to `end_s` into at most 250 slots that hold 20 calls on average."""
    wanted_s = max(end_s / _SLOTS_AT_MOST, end_s * _CALLS_PER_SLOT / max(len(ops), 1))
    width_s = next((width for width in _WIDTHS_S if width >= wanted_s), wanted_s)
    count = max(int(np.ceil(end_s / width_s)), 1)
    p50_ms, p99_ms = _percentiles(ops[has_latency(ops)], width_s, count)
    ended = np.clip((ops["done_ns"].to_numpy() / (width_s * 1e9)).astype(np.int64), 0, count - 1)
    outcome = ops["outcome"].to_numpy()
    rates = {name: np.bincount(ended[outcome == name], minlength=count) / width_s for name in OUTCOMES}
    return Slots(
        width_s=width_s, begin_s=np.arange(count, dtype=np.float64) * width_s, p50_ms=p50_ms, p99_ms=p99_ms, rate_per_s=rates
    )


def _percentiles(ops: pd.DataFrame, width_s: float, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The nearest-rank p50 and p99 of each slot."""
    latency_ms = (ops["done_ns"] - ops["due_ns"]).to_numpy() / 1e6
    slot = np.clip((ops["due_ns"].to_numpy() / (width_s * 1e9)).astype(np.int64), 0, count - 1)
    latency_ms = latency_ms[np.lexsort((latency_ms, slot))]
    calls = np.bincount(slot, minlength=count)
    first = np.cumsum(calls) - calls
    used = calls > 0
    found = []
    for share in (0.50, 0.99):
        values = np.full(count, np.nan)
        rank = np.ceil(np.round(share * calls[used], 6)).astype(np.int64)
        values[used] = latency_ms[first[used] + rank - 1]
        found.append(values)
    return found[0], found[1]


def sample(ops: pd.DataFrame, at_most: int, always: Collection[int] = ()) -> pd.DataFrame:
    """At most `at_most` operations: all if they fit; otherwise a tenth are the slowest ones, and the rest a uniform sample.

    The operations numbered in `always` are added on top.
    """
    if len(ops) <= at_most:
        return ops
    slow = max(int(at_most * _EXTREMES_SHARE), 1)
    latency_ns = (ops["done_ns"] - ops["due_ns"]).to_numpy()
    order = np.argsort(-latency_ns, kind="stable")
    rest = np.random.default_rng(0).choice(order[slow:], at_most - slow, replace=False)
    wanted = np.flatnonzero(ops.index.isin(list(always)))
    return ops.iloc[np.unique(np.concatenate((order[:slow], rest, wanted)))]
