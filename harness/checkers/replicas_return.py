"""Whether what faults took out of service came back into service."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from harness.checkers._starvation import starved
from harness.checkers._wording import count, listed
from harness.checkers.generator_kept_up import generator_kept_up
from harness.model.history import History
from harness.model.verdict import Verdict

GRACE_NS: Final = 1_000_000_000
"""Nodes may take this long after the last fault is healed until all are asked again."""

CALLS_PER_NODE: Final = 20
"""Calls that every node would have answered on average, at least, before the absence of one counts."""


def replicas_return(history: History) -> Verdict:
    """Every node that answered calls before the first fault answers calls again when all faults are healed.

    A service can lose one node after another for good and look well until the last one goes. This looks at the load's end,
    from a second after the last fault was healed: every node has to give at least one answer then. Unknown if too little
    was asked to tell, and if a node gives none while the generator itself was too late, or while the machine let one of the
    run's processes wait for a CPU for more than half of the time since healing.
    """
    windows = history.windows.dropna(subset=["injected_ns"])
    if windows.empty or windows["healed_ns"].isna().any():
        return Verdict(valid=None, why="no fault was healed" if windows.empty else "a fault was never healed")
    load = history.load
    answered = load[(load["outcome"] == "ok") & (load["node"] != "")]
    before = sorted(set(answered["node"][answered["done_ns"] < int(windows["injected_ns"].min())]))
    healed_ns = int(windows["healed_ns"].max())
    quiet_ns = healed_ns + GRACE_NS
    calls = int((load["sent_ns"] >= quiet_ns).sum())
    after = set(answered["node"][answered["sent_ns"] >= quiet_ns])
    since = f"since {quiet_ns / 1e9:.2f} s, one second after the last fault was healed"
    if not before:
        return Verdict(valid=None, why="no node answered before the first fault")
    if calls < CALLS_PER_NODE * len(before):
        return Verdict(valid=None, why=f"too few calls to tell who is in service: {calls:,} {since}")
    lost = [node for node in before if node not in after]
    if lost:
        after_healing = replace(history, ops=load[load["sent_ns"] >= healed_ns])
        if generator_kept_up(after_healing).valid is None:
            busy = "but the machine was too busy to send calls in time"
            return Verdict(valid=None, why=f"no answer from {listed(lost)} {since}, {busy}")
        if hungry := starved(history, healed_ns, int(load["sent_ns"].max())):
            return Verdict(valid=None, why=f"no answer from {listed(lost)} {since}, but {hungry}")
        return Verdict(valid=False, why=f"out of service for good: {listed(lost)}; no answer to {count(calls, 'call')} {since}")
    return Verdict(valid=True, why=f"in service again when all faults were healed: {listed(before)}")


def applies(history: History) -> bool:
    """Whether answers tell who gave them, and faults were healed."""
    return bool((history.load["node"] != "").any()) and bool(history.windows["healed_ns"].notna().any())
