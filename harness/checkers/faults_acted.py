"""Whether the faults of a run really happened."""

from __future__ import annotations

from harness.checkers._wording import count
from harness.model.history import History
from harness.model.verdict import Verdict


def faults_acted(history: History) -> Verdict:
    """Every planned fault was seen to act; otherwise the run shows nothing about it and is unknown.

    A window counts as acted only if evidence from outside the system says so (`acted` is True). A fault that did
    not act, or of which nothing is known, never makes the system wrong, so the verdict is never invalid.
    """
    windows = history.windows
    if windows.empty:
        return Verdict(valid=True, why="no fault was planned")
    idle = windows[~windows["acted"].fillna(False).to_numpy(dtype=bool)]
    if idle.empty:
        return Verdict(valid=True, why=f"{count(len(windows), 'fault')} planned, and each was seen to act")
    told = "; ".join(_sentence(*row) for row in idle[["fault", "targets", "selector", "evidence"]].itertuples(index=False))
    return Verdict(valid=None, why=f"{len(idle)} of {count(len(windows), 'fault')} not seen to act: {told}")


def _sentence(fault: object, targets: object, selector: object, evidence: object) -> str:
    hit = targets if isinstance(targets, str) and targets else f'"{selector}"'
    return f"{fault} on {hit} ({evidence if isinstance(evidence, str) and evidence else 'no evidence was gathered'})"


def applies(history: History) -> bool:
    """Whether faults were planned."""
    return not history.windows.empty
