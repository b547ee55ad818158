"""Whether the faults of a run really happened."""

from __future__ import annotations

from harness.checkers._wording import count
from harness.model.fault_window import FaultWindow
from harness.model.history import History
from harness.model.verdict import Verdict


def faults_acted(history: History) -> Verdict:
    """Every planned fault was seen to act; otherwise the run shows nothing about it and is unknown.

    A window counts as acted only if evidence from outside the system says so (`acted` is True). A fault that did
    not act, or of which nothing is known, never makes the system wrong, so the verdict is never invalid.
    """
    windows = history.fault_windows
    if not windows:
        return Verdict(valid=True, why="no fault was planned")
    idle = [window for window in windows if not window.acted]
    if not idle:
        return Verdict(valid=True, why=f"{count(len(windows), 'fault')} planned, and each was seen to act")
    told = "; ".join(map(_sentence, idle))
    return Verdict(valid=None, why=f"{len(idle)} of {count(len(windows), 'fault')} not seen to act: {told}")


def _sentence(window: FaultWindow) -> str:
    hit = " ".join(window.targets) or f'"{window.selector}"'
    return f"{window.text} on {hit} ({window.evidence or 'no evidence was gathered'})"


def applies(history: History) -> bool:
    """Whether faults were planned."""
    return not history.windows.empty
