"""Check that a leader keeps leading while no fault hits it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from harness.checkers._consensus import BrokenEvent, Told, emitted, told
from harness.checkers._starvation import starved
from harness.checkers._wording import count
from harness.model.consensus_events import Leader
from harness.model.fault_window import FaultWindow
from harness.model.history import History
from harness.model.system import CLIENT
from harness.model.verdict import Verdict

AFTER_NS: Final = 1_000_000_000
"""A change of leaders this soon after a fault was healed may still be due to it."""

_HANDS_OVER: Final = "HandOver"


def leader_undisturbed(history: History) -> Verdict:
    """Leadership changes only when a fault hits the leader, or when it is handed over.

    Judges `leader` events (`harness.model.consensus_events`) from the beginning of the load. A fault that hits other nodes
    must not make a leader step down that a majority hears: a node that was cut off and comes back with a later term would
    cause that if it raised its term without asking. If faults hit so many other nodes at once, or links between them and the
    leader, that no majority is left, it may step down. Unknown if the machine kept a process of the run waiting for its CPU
    at such a change: then the leader was late itself. O(leaders · windows). The property is the aim of pre-vote: D. Ongaro,
    "Consensus: Bridging Theory and Practice", Stanford 2014, section 9.6.
    """
    try:
        events = told(history, Leader)
    except BrokenEvent as error:
        return Verdict(valid=None, why=str(error))
    windows = history.fault_windows
    changes = 0
    led: dict[str, Told] = {}
    for after in events:
        before = led.get(after.event.group)
        led[after.event.group] = after
        if before is None or after.at_ns < 0:
            continue
        changes += 1
        recent = [window for window in windows if _held(window, after.at_ns / 1e9, AFTER_NS / 1e9)]
        if any(_accounts_for(window, before.node, after.node) for window in recent) or _was_alone(before.node, recent, history):
            continue
        late = starved(history, after.at_ns - AFTER_NS, after.at_ns)
        again = "was elected again" if before.node == after.node else "came to lead"
        why = f"{after.node} {again} at {after.at_ns / 1e9:.3f} s, though nothing had been done to {before.node}, which led"
        return Verdict(valid=None, why=f"{why}; but {late}") if late else Verdict(valid=False, why=why)
    if not events:
        return Verdict(valid=None, why="no node told that it leads")
    return Verdict(valid=True, why=f"{count(changes, 'election')}, each after something was done to the leader")


def _held(window: FaultWindow, at_s: float, after_s: float = 0.0) -> bool:
    """Whether a window held at a time, or had been healed at most `after_s` before it."""
    if window.injected_s is None or at_s < min(window.injected_s, window.from_s):
        return False
    return window.healed_s is None or at_s <= window.healed_s + after_s


def _accounts_for(window: FaultWindow, before: str, after: str) -> bool:
    return before in window.targets or (window.kind == _HANDS_OVER and after in window.targets)


def _was_alone(leader: str, windows: Sequence[FaultWindow], history: History) -> bool:
    """Whether these windows ever hit so many other nodes at once, or links to them, that no majority can hear the leader."""
    peers = {name for name in _linked(leader, history.links["link"]) if name != CLIENT}
    for first in windows:  # windows that hold at once do so when the last of them begins
        at_once = [window for window in windows if _held(window, first.injected_s or 0.0)]
        hit = {name for window in at_once for target in window.targets for name in (target, *_linked(leader, [target]))}
        if len(peers - hit) < (len(peers) + 1) // 2:
            return True
    return False


def _linked(node: str, links: Iterable[str]) -> set[str]:
    """The other ends of those links that begin or end at a node."""
    ends = [link.split(">") for link in links if ">" in link]
    return {other for pair in ends for one, other in (pair, pair[::-1]) if one == node}


def applies(history: History) -> bool:
    """Whether nodes reported who leads, and windows tell what was done to whom."""
    return emitted(history, ["leader"]) and not history.windows.empty
