"""Check that what faults took out of service comes back into service."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pandas as pd

from harness.checkers._starvation import starved
from harness.checkers._wording import count, listed
from harness.checkers.generator_kept_up import generator_kept_up
from harness.model.history import History
from harness.model.verdict import Verdict

GRACE_NS: Final = 1_000_000_000
"""Nodes may take this long after the last fault is healed until all are asked again."""

WATCHED_NS: Final = 1_000_000_000
"""The load has to go on for this long after the grace before the absence of a node counts: a client may have to make several
calls elsewhere before it tries a node again."""

CALLS_PER_NODE: Final = 20
"""Calls that every node would have answered on average, at least, before the absence of one counts."""

LEAST_SHARE: Final = 0.1
"""A node whose share of the answers is below this fraction of its share before the first fault is not in service. A balancer
that tries a node carefully, or prefers others for a while, still gives it much more than this."""

LEAST_ANSWERS: Final = 5
"""A node that gave fewer answers before the first fault, or whose share of the calls since would be fewer, may get none by
chance: of five expected calls there are none in less than 1% of all cases."""

LEAST_ALONE: Final = 20
"""With fewer answers before the first fault, all from one node, the check does not conclude that one node answers at a time."""


def replicas_return(history: History) -> Verdict:
    """Every node that answered calls before the first fault answers calls again after all faults are healed.

    A service can lose one node after another for good and look healthy until the last one goes. This checks the end of the
    load, from a second after the last fault was healed: every node has to give at least a tenth of the answers that its share
    before the first fault would amount to, and at least one. If a single node gave all answers before the first fault, it led
    or was alone: then it is enough that some node answers. Unknown if there were too few calls to judge, if only nodes that
    were seldom asked before stay away, and if a node stays away while the generator itself was too late, or while the machine
    kept one of the run's processes waiting for a CPU for more than half of the time since healing.
    """
    windows = history.windows.dropna(subset=["injected_ns"])
    if windows.empty or windows["healed_ns"].isna().any():
        return Verdict(valid=None, why="no fault was healed" if windows.empty else "a fault was never healed")
    load = history.load
    answered = load[(load["outcome"] == "ok") & (load["node"] != "")]
    before = answered["node"][answered["done_ns"] < int(windows["injected_ns"].min())].value_counts().sort_index()
    healed_ns = int(windows["healed_ns"].max())
    quiet_ns = healed_ns + GRACE_NS
    calls = int((load["sent_ns"] >= quiet_ns).sum())
    after = answered["node"][answered["sent_ns"] >= quiet_ns].value_counts()
    since = f"since {quiet_ns / 1e9:.2f} s, one second after the last fault was healed"
    if before.empty:
        return Verdict(valid=None, why="no node answered before the first fault")
    if calls < CALLS_PER_NODE * len(before):
        return Verdict(valid=None, why=f"too few calls to tell who is in service: {calls:,} {since}")
    if len(before) == 1 and int(before.iloc[0]) >= LEAST_ALONE and not after.empty:
        return Verdict(
            valid=True, why=f"one node answered, {before.index[0]} before the first fault and {_in_place(after)} {since}"
        )
    given = after.reindex(before.index, fill_value=0)
    due = before / before.sum() * int(after.sum())
    lost = [str(node) for node in before.index if given[node] == 0 or given[node] < LEAST_SHARE * due[node]]
    if not lost:
        return Verdict(valid=True, why=f"in service again when all faults were healed: {listed(list(map(str, before.index)))}")
    expected = before / before.sum() * calls
    often = [node for node in lost if min(before[node], expected[node]) >= LEAST_ANSWERS]
    if not often and not after.empty:
        asked = listed([f"{node} ({count(int(before[node]), 'answer')} before the first fault)" for node in lost])
        return Verdict(valid=None, why=f"too seldom asked to tell whether they are in service {since}: {asked}")
    lost = often or lost
    told = [node if given[node] == 0 else _hardly(int(given[node]), before / before.sum(), node) for node in lost]
    what = f"no answer from {listed(told)}" if not given[lost].any() else f"hardly an answer from {listed(told)}"
    asked = f"{'hardly an' if given[lost].any() else 'no'} answer to {count(calls, 'call')}"
    last_ns = int(load["sent_ns"].max())
    if last_ns - quiet_ns < WATCHED_NS:
        left_s, needed_s = (last_ns - healed_ns) / 1e9, (GRACE_NS + WATCHED_NS) / 1e9
        return Verdict(
            valid=None,
            why=f"{what} {since}, but the load ended {left_s:.1f} s after that fault: let it go on for {needed_s:g} s or more",
        )
    after_healing = replace(history, ops=load[load["sent_ns"] >= healed_ns])
    if generator_kept_up(after_healing).valid is None:
        return Verdict(valid=None, why=f"{what} {since}, but the machine was too busy to send calls in time")
    if hungry := starved(history, healed_ns, last_ns):
        return Verdict(valid=None, why=f"{what} {since}, but {hungry}")
    return Verdict(valid=False, why=f"out of service for good: {listed(told)}; {asked} {since}")


def _in_place(after: pd.Series[int]) -> str:
    return listed([str(node) for node in after.sort_index().index])


def _hardly(given: int, shares: pd.Series[float], node: str) -> str:
    return f"{node} ({count(given, 'answer')}, and {shares[node]:.0%} of all before the first fault)"


def applies(history: History) -> bool:
    """Whether answers name the node that gave them, and faults were healed."""
    return bool((history.load["node"] != "").any()) and bool(history.windows["healed_ns"].notna().any())
