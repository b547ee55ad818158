"""Check that the drill was not stopped by its guard."""

from __future__ import annotations

from typing import Final

from harness.model.history import History
from harness.model.verdict import Verdict

STOPPED: Final = "stopped by its guard"
"""The kind of the event."""


def guard_held(history: History) -> Verdict:
    """The drill was not stopped by its guard; if it was, what it would have shown is unknown."""
    stops = history.events[history.events["kind"] == STOPPED]
    if stops.empty:
        return Verdict(valid=True, why="the limit of the guard was not passed")
    stop = stops.iloc[0]
    return Verdict(valid=None, why=f"the drill was stopped after {stop['at_ns'] / 1e9:.2f} s: {stop['detail']}")


def applies(history: History) -> bool:
    """Whether a guard stopped the drill."""
    return bool((history.events["kind"] == STOPPED).any())
