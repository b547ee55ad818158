"""How long after a fault service was good again. The definition is in `docs/metrics.md`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.model.history import History
from harness.model.slo import SLO

SLOT_NS: Final = 100_000_000
"""The narrowest slot."""
CALLS_PER_SLOT: Final = 20
"""How many calls a slot holds on average, at least; slots are widened until they do."""
GOOD_SHARE: Final = 0.95
"""The share of a slot's calls that must be good for the slot to be good."""
SUSTAINED_NS: Final = 1_000_000_000
"""How long service must stay good to count as recovered."""


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """How long one fault window's recovery took, in seconds from the moment the fault was injected.

    `censored`: recovery was not seen before the next window or the load's end; it took at least `seconds`.
    """

    window: str
    seconds: float
    censored: bool


def within(latencies_ms: NDArray[np.float64], slo: SLO) -> NDArray[np.bool_]:
    """Which latencies meet a latency SLO's threshold."""
    return latencies_ms <= slo.threshold if slo.comparison == "<=" else latencies_ms < slo.threshold


def good_calls(ops: pd.DataFrame, slos: tuple[SLO, ...]) -> NDArray[np.bool_]:
    """Which calls count as good service: done, and within every p99 threshold among `slos`."""
    latencies_ms = (ops["done_ns"] - ops["due_ns"]).to_numpy() / 1e6
    good = (ops["outcome"] == "ok").to_numpy(dtype=bool)
    for slo in slos:
        if slo.metric == "p99":
            good = good & within(latencies_ms, slo)
    return good


def recoveries(history: History, slos: tuple[SLO, ...], load_ns: int) -> tuple[Recovery, ...]:
    """The recovery of every window that was injected while the load ran, in order of injection.

    `load_ns` is when the load ended. A window in which no call fell due has no recovery and is left out.
    """
    ops = history.load
    due_ns, done_ns = ops["due_ns"].to_numpy(), ops["done_ns"].to_numpy()
    good = good_calls(ops, slos)
    width_ns = slot_width_ns(len(due_ns), load_ns)
    windows = history.windows.dropna(subset=["injected_ns"]).sort_values("injected_ns", kind="stable")
    starts_ns = windows["injected_ns"].astype("int64").tolist()
    found = []
    for label, start_ns in zip(windows["label"], starts_ns, strict=True):
        horizon_ns = min([later for later in starts_ns if later > start_ns] + [load_ns])
        inside = (due_ns >= start_ns) & (due_ns < horizon_ns)
        if horizon_ns in starts_ns:  # calls in flight when the next fault began count against it, unless they were overdue
            inside &= (done_ns <= horizon_ns) | (due_ns <= horizon_ns - SUSTAINED_NS)
        if inside.any():
            recovery_ns, censored = _recovery(due_ns[inside] - start_ns, good[inside], horizon_ns - start_ns, width_ns)
            found.append(Recovery(window=str(label), seconds=recovery_ns / 1e9, censored=censored))
    return tuple(found)


def slot_width_ns(calls: int, load_ns: int) -> int:
    """The width of a slot: 100 ms, or wide enough for 20 calls on average."""
    return max(SLOT_NS, load_ns * CALLS_PER_SLOT // max(calls, 1))


def _recovery(at_ns: NDArray[np.int64], good: NDArray[np.bool_], horizon_ns: int, width_ns: int) -> tuple[int, bool]:
    """Recovery in ns, and whether it is censored, for calls due `at_ns` after the fault's start."""
    slot = at_ns // width_ns
    calls = np.bincount(slot)
    share = np.bincount(slot, weights=good) / np.maximum(calls, 1)
    used = np.flatnonzero(calls)
    slot_good = share[used] >= GOOD_SHARE
    if slot_good.all():
        return 0, False
    first_bad = int(np.argmin(slot_good))
    begin_ns: int | None = None
    for index, is_good in zip(used[first_bad:].tolist(), slot_good[first_bad:].tolist(), strict=True):
        if not is_good:
            begin_ns = None
            continue
        if begin_ns is None:
            begin_ns = index * width_ns
        if min((index + 1) * width_ns, horizon_ns) - begin_ns >= SUSTAINED_NS:
            return begin_ns, False
    return horizon_ns, True
