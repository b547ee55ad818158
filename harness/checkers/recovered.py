"""Check that a training got going again after every fault, with all its ranks."""

from __future__ import annotations

from typing import Final

import pandas as pd

from harness.checkers._starvation import disturbed
from harness.checkers._steps import done, masters_and_workers, trains
from harness.checkers._wording import count, listed
from harness.model.history import History
from harness.model.verdict import Verdict

GRACE_NS: Final = 2_000_000_000
"""A rank that a fault took out must be back in the group this long after the fault's end."""


def recovered(history: History) -> Verdict:
    """After all faults are healed, every rank that trained before the first fault trains again, all in one group.

    A training that has lost a rank for good goes on and looks healthy, only slower; after the last loss it stands still. This
    checks the last group: a rank takes part if it did a step in it, or had just begun one when the record ended. A master may
    have been replaced by another one: then that one and all workers train again. Unknown if ranks are missing and the record
    ends within two seconds of the last fault's healing, or other programs on the machine have kept a process of the run from
    running since then. Ranks that take the CPU from each other are no excuse.
    """
    steps, windows = done(history), history.windows.dropna(subset=["injected_ns"])
    if windows.empty or windows["healed_ns"].isna().any():
        return Verdict(valid=None, why="no fault was healed" if windows.empty else "a fault was never healed")
    before = sorted(set(steps["node"][steps["done_ns"] < int(windows["injected_ns"].min())]))
    if not before:
        return Verdict(valid=None, why="no step was done before the first fault")
    healed_ns, end_ns = int(windows["healed_ns"].max()), int(history.ops["done_ns"].max()) if len(history.ops) else 0
    since = steps[steps["done_ns"] > healed_ns]
    again = set(since["node"][since["generation"] == since["generation"].max()]) if len(since) else set()
    again |= _under_way(history, since, end_ns)
    masters, workers = masters_and_workers(history)
    replaced = masters - again if workers and masters & again else set()
    lost = [node for node in before if node not in again and node not in replaced]
    if not lost:
        trains_again = [node for node in before if node in again]
        return Verdict(valid=True, why=f"train together again when all faults were healed: {listed(trains_again)}")
    seconds = (end_ns - healed_ns) / 1e9
    if end_ns - healed_ns < GRACE_NS:
        return Verdict(valid=None, why=f"not back {seconds:.1f} s after the last fault, when the record ends: {listed(lost)}")
    told = "no rank trains" if len(since) == 0 else f"{count(len(lost), 'rank')} of {len(before)} out for good: {listed(lost)}"
    why = f"{told}, {seconds:.1f} s after the last fault was healed"
    if busy := disturbed(history, healed_ns, end_ns):
        return Verdict(valid=None, why=f"{why}, but {busy}")
    return Verdict(valid=False, why=why)


def _under_way(history: History, since: pd.DataFrame, end_ns: int) -> set[str]:
    """The ranks that had just begun a step in the group of these steps when the record ended."""
    steps = history.steps[history.steps["done_ns"].isna() & (history.steps["generation"] == since["generation"].max())]
    return set(steps["node"][(steps["begun_ns"] > end_ns - GRACE_NS).fillna(False)])


def applies(history: History) -> bool:
    """Whether something was trained, and faults were healed."""
    return trains(history) and bool(history.windows["healed_ns"].notna().any())
