"""Check that an outage stays in its region: users of other regions are served as before."""

from __future__ import annotations

from typing import Final

import pandas as pd

from harness.checkers._starvation import starved
from harness.checkers._wording import count, listed
from harness.model.history import History
from harness.model.verdict import Verdict

LEAST_SHARE: Final = 0.99
"""The share of these users' calls that must succeed while faults hold."""

LEAST_CALLS: Final = 100
"""Fewer calls are too few to judge."""


def locals_unharmed(history: History) -> Verdict:
    """While any fault holds, 99% of the calls succeed whose client's own region no fault hit.

    A region is the part of a node's name before the first "-". A client's own region is the one that gave most of its
    answers before the first fault; a client without an answer by then is left out. A region is hit if one of its nodes is a
    target, or a link that one of them opens. Unknown if there are fewer than 100 such calls, or if calls fail while the
    machine starves the run's processes.

    This is the purpose of a bulkhead: M. Nygard, "Release It!", 2nd edition, 2018, chapter 5. O(n).
    """
    windows = history.windows.dropna(subset=["injected_ns"])
    if windows.empty:
        return Verdict(valid=None, why="no fault began")
    load = history.load
    first_ns = int(windows["injected_ns"].min())
    last_ns = int(windows["healed_ns"].fillna(load["done_ns"].max()).max())
    hit = {_region(name.partition(">")[0]) for targets in windows["targets"] for name in str(targets).split()}
    answered = load[((load["outcome"] == "ok") & (load["node"] != "") & (load["done_ns"] < first_ns)).to_numpy(dtype=bool)]
    own = answered["node"].map(_region).groupby(answered["client"]).agg(lambda regions: regions.mode().iloc[0])
    spared = own[~own.isin(sorted(hit))]
    held = pd.Series(False, index=load.index)
    for begin_ns, end_ns in zip(windows["injected_ns"].tolist(), windows["healed_ns"].fillna(last_ns).tolist(), strict=True):
        held |= load["due_ns"].between(begin_ns, end_ns)
    calls = load[(load["client"].isin(spared.index) & held).to_numpy(dtype=bool)]
    if len(calls) < LEAST_CALLS:
        return Verdict(valid=None, why=f"too few calls of clients of regions that no fault hit: {len(calls)}")
    lost = calls[(calls["outcome"] != "ok").to_numpy(dtype=bool)]
    told = f"{count(len(lost), 'call')} of {len(calls):,} not done while faults held, of clients of {listed(_names(spared))}"
    if len(lost) <= (1 - LEAST_SHARE) * len(calls):
        return Verdict(valid=True, why=told)
    ops = tuple(int(op) for op in lost.index)
    if hungry := starved(history, first_ns, last_ns):
        return Verdict(valid=None, why=f"{told}, but {hungry}", ops=ops)
    return Verdict(valid=False, why=f"{told}, which no fault hit", ops=ops)


def applies(history: History) -> bool:
    """Whether nodes have regions, and a fault began."""
    regions = {_region(node) for node in history.load["node"].dropna().unique() if "-" in str(node)}
    return len(regions) > 1 and bool(history.windows["injected_ns"].notna().any())


def _region(node: object) -> str:
    return str(node).partition("-")[0]


def _names(own: pd.Series) -> list[str]:
    return sorted(str(region) for region in own.unique())
