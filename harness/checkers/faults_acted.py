"""Check that the faults of a run really happened."""

from __future__ import annotations

import pandas as pd

from harness.checkers._wording import count
from harness.model.fault_window import FaultWindow
from harness.model.history import History
from harness.model.verdict import Verdict


def faults_acted(history: History) -> Verdict:
    """Every planned fault was seen to act while there were calls; otherwise the run shows nothing about it: unknown.

    A window counts as acted only if evidence from outside the system says so (`acted` is True), if it was injected and healed,
    and if a call of the load was due or in progress while it held. A fault that did not act, or about which nothing is known,
    never makes the system wrong, so the verdict is never invalid.
    """
    windows = history.fault_windows
    if not windows:
        return Verdict(valid=True, why="no fault was planned")
    idle = [(window, why) for window in windows if (why := _why_not(window, history.load))]
    if not idle:
        return Verdict(valid=True, why=f"{count(len(windows), 'fault')} planned, and each was seen to act")
    told = "; ".join(_sentence(window, why) for window, why in idle)
    return Verdict(valid=None, why=f"{len(idle)} of {count(len(windows), 'fault')} not seen to act: {told}")


def _why_not(window: FaultWindow, load: pd.DataFrame) -> str | None:
    """Why a window shows nothing; None if it acted."""
    if not window.acted:
        return window.evidence or "no evidence was gathered"
    if window.injected_s is None:
        return "it was never injected"
    if window.healed_s is None:
        return "it was never healed"
    met = (load["due_ns"] <= window.healed_s * 1e9) & (load["done_ns"] >= window.injected_s * 1e9)
    if met.any():
        return None
    when = f"it held from {window.injected_s:.2f} to {window.healed_s:.2f} s"
    if load.empty:
        return f"{when}, and the load made no call"
    begin_s, end_s = load["due_ns"].min() / 1e9, load["done_ns"].max() / 1e9
    return f"no call was due or under way while {when}; the load lasted from {begin_s:.2f} to {end_s:.2f} s"


def _sentence(window: FaultWindow, why: str) -> str:
    hit = " ".join(window.targets) or f'"{window.selector}"'
    return f"{window.text} on {hit} ({why})"


def applies(history: History) -> bool:
    """Whether faults were planned."""
    return not history.windows.empty
