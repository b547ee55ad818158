"""Check that the master of a parameter server stays the master unless it was silent for a second."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Final

from harness.checkers._starvation import Starvation, starvation
from harness.checkers._steps import has_master
from harness.checkers._wording import count
from harness.model.fault_window import FaultWindow
from harness.model.history import History
from harness.model.node_events import BrokenEvent, Told
from harness.model.training_events import Resumed, told
from harness.model.verdict import Verdict

SILENT_S: Final = 0.9
"""The other server stands for election after a second without a beat, of which there are ten a second."""

_LOOK_S: Final = 1.5
"""A server that had to wait for its CPU this soon before an election may have been silent, or deaf, because of that."""

_BETWEEN: Final = ("fault-plane", "")
"""The fault plane, through which all beats go, and the machine."""

_KILL: Final = "Kill"


def master_undisturbed(history: History) -> Verdict:
    """A later term begins only after the master before was killed, or a fault hit it, or a link of it, for a second.

    A server that stands for election although it hears the master, or too soon, is refused by workers that hear it as well;
    until the master stalls for a moment, and the steps since its checkpoint are lost. A master begins a term with the event
    `resumed`. Judged from the beginning of the load; unknown if no term began, or if before an election one of the two servers
    had to wait for a CPU for as long as the fault was too short.
    """
    if not has_master(history):
        return Verdict(valid=None, why="no master has done a step with workers")
    try:
        terms = told(history, Resumed)
    except BrokenEvent as error:
        return Verdict(valid=None, why=str(error))
    changes = 0
    unsure: str | None = None
    for before, after in pairwise(terms):
        if after.at_ns < 0:
            continue
        changes += 1
        hit_s = _hit_s(history.fault_windows, before, after)
        if hit_s >= SILENT_S:
            continue
        waited = _waited(history, before, after)
        why = (
            f"{after.node} began term {after.event.generation} at {after.at_ns / 1e9:.2f} s, though {before.node} had led term"
            f" {before.event.generation} and was hit for {hit_s:.2f} s at most"
        )
        if hit_s + waited.waited_ns / 1e9 < SILENT_S:
            return Verdict(valid=False, why=why)
        unsure = unsure or f"{why}; but {waited}"
    if unsure is not None:
        return Verdict(valid=None, why=unsure)
    if not terms:
        return Verdict(valid=None, why="no master told that its term began")
    return Verdict(valid=True, why=f"{count(changes, 'new term')}, each after the master before was silent")


def _hit_s(windows: tuple[FaultWindow, ...], before: Told[Resumed], after: Told[Resumed]) -> float:
    """For how many seconds on end faults hit a master in its term; a killed one is silent for good."""
    begin_s, end_s = before.at_ns / 1e9, after.at_ns / 1e9
    longest = since = until = 0.0
    hits = [window for window in windows if any(before.node in target.split(">") for target in window.targets)]
    for window in sorted(hits, key=lambda window: window.injected_s or 0.0):
        if window.injected_s is None:
            continue
        first = max(window.injected_s, begin_s)
        last = end_s if window.kind == _KILL or window.healed_s is None else min(window.healed_s, end_s)
        if last <= first:
            continue
        since, until = (since, max(until, last)) if first <= until else (first, last)
        longest = max(longest, until - since)
    return longest


def _waited(history: History, before: Told[Resumed], after: Told[Resumed]) -> Starvation:
    """How long the old or the new master, or what is between them, waited for a CPU before the election."""
    usage = history.usage[history.usage["node"].isin([before.node, after.node, *_BETWEEN])]
    return starvation(replace(history, usage=usage), after.at_ns - round(_LOOK_S * 1e9), after.at_ns)


def applies(history: History) -> bool:
    """Whether masters have done steps with workers."""
    return has_master(history)
