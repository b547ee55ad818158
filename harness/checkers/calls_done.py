"""Check that any call succeeded at all."""

from __future__ import annotations

from harness.checkers._wording import count
from harness.model.history import History
from harness.model.reasons import reasons
from harness.model.verdict import Verdict


def calls_done(history: History) -> Verdict:
    """At least one call of the load was done; otherwise unknown, with the most frequent reasons.

    If no call succeeds, the load says nothing about the system: it may be down, or the client may be broken.
    """
    load = history.load
    if load.empty:
        return Verdict(valid=None, why="no call of the load was recorded")
    done = int((load["outcome"] == "ok").sum())
    if done:
        return Verdict(valid=True, why=f"{done:,} of {count(len(load), 'call')}")
    found = reasons(load)
    more = f"; and {count(len(found) - 3, 'more reason')}" if len(found) > 3 else ""
    why = f"none of {count(len(load), 'call')} was done. {'; '.join(map(str, found[:3]))}{more}"
    return Verdict(valid=None, why=why, ops=tuple(reason.example for reason in found[:3]))


def applies(history: History) -> bool:
    """Whether calls of a load were recorded."""
    return not history.load.empty
