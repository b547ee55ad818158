"""How long reads kept showing values from before a fault was healed. The definition is in `docs/metrics.md`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.model.history import History
from results.analysis.staleness import Integers, staleness_by_read


@dataclass(frozen=True, kw_only=True)
class Convergence:
    """How long convergence took after one fault window, in seconds from its healing.

    `censored`: a key that lagged was not read up to date again before the next window; convergence took at least `seconds`.
    """

    window: str
    seconds: float
    censored: bool


def convergences(history: History) -> tuple[Convergence, ...]:
    """The convergence of every healed window that was followed by a read of the load. O(n log n + windows · n)."""
    stale_ms = staleness_by_read(history, final=True)["ms"]
    reads = history.ops.loc[stale_ms.index]
    key, sent_ns = reads["key"].to_numpy(dtype=object), reads["sent_ns"].to_numpy()
    in_load = (reads["phase"] == "load").to_numpy(dtype=bool)
    # A value counts as replaced when the first newer write is acknowledged.
    replaced_ns = np.where(stale_ms > 0, sent_ns - np.rint(stale_ms * 1e6), np.inf)
    starts_ns = history.windows["injected_ns"].dropna().astype("int64").tolist()  # also of those that were never healed
    windows = history.windows.dropna(subset=["injected_ns", "healed_ns"]).sort_values("healed_ns", kind="stable")
    found = []
    for label, healed_ns in zip(windows["label"], windows["healed_ns"].astype("int64").tolist(), strict=True):
        horizon_ns = min((start_ns for start_ns in starts_ns if start_ns > healed_ns), default=None)
        after, behind = sent_ns > healed_ns, replaced_ns < healed_ns
        if horizon_ns is not None:
            after &= sent_ns < horizon_ns
        watched = after & in_load
        if not watched.any():
            continue
        late = watched & behind
        last = int(sent_ns[late].max()) if late.any() else healed_ns
        seconds = (last - healed_ns) / 1e9
        fresh = after & ~behind
        lagged = _last_ns(sent_ns[late], key[late])
        censored = not (_last_ns(sent_ns[fresh], key[fresh]).reindex(lagged.index) > lagged).all()
        found.append(Convergence(window=str(label), seconds=seconds, censored=censored))
    return tuple(found)


def _last_ns(sent_ns: Integers, key: NDArray[np.object_]) -> pd.Series[int]:
    """By key, when its last read was sent."""
    return pd.Series(sent_ns).groupby(key).max()
