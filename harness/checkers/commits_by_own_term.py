"""Check that leaders commit entries of earlier terms only together with one of their own."""

from __future__ import annotations

from harness.checkers._consensus import BrokenEvent, Told, emitted, told
from harness.checkers._wording import count
from harness.model.consensus_events import Appended, Applied, Committed, Leader
from harness.model.history import History
from harness.model.verdict import Verdict


def commits_by_own_term(history: History) -> Verdict:
    """No leader applies an entry of an earlier term before it knows an entry of its own term to be committed.

    Judges `leader`, `committed` and `applied` events (`harness.model.consensus_events`); a node reports all entries that it
    finds committed together before it applies the first of them. An entry of an earlier term that is on a majority may still
    be overwritten, so it must not be committed by counting its copies. This finds the bug even if the entry happens not to be
    overwritten. O(n). The rule is Raft's: D. Ongaro, J. Ousterhout, "In Search of an Understandable Consensus Algorithm",
    USENIX ATC 2014, section 5.4.2 and figure 8.
    """
    try:
        events = told(history, Leader, Committed, Applied, Appended)
    except BrokenEvent as error:
        return Verdict(valid=None, why=str(error))
    leads: dict[tuple[str, str], Told] = {}
    """Who has yet to commit an entry of the term that it leads."""
    old: dict[tuple[str, str], Told] = {}
    leaders = 0
    for each in events:
        event, node = each.event, (each.event.group, each.node)
        if isinstance(event, Leader):
            leads[node] = each
            old.pop(node, None)
            leaders += 1
        elif isinstance(event, Committed) and node in leads:
            began = leads[node].event
            if not isinstance(began, Leader) or event.term != began.term or event.entry_term == began.term:
                del leads[node]
            else:
                old.setdefault(node, each)
        elif isinstance(event, Applied) and node in leads and node in old:
            committed = old[node].event
            entry = f"index {committed.index}, term {committed.entry_term}" if isinstance(committed, Committed) else ""
            why = f"{leads[node]} led, and committed the entry of {entry}, before any of its own: {old[node]}"
            return Verdict(valid=False, why=why)
    if not leaders:
        return Verdict(valid=None, why="no node told that it leads")
    return Verdict(valid=True, why=f"{count(leaders, 'leader')} committed by entries of their own terms")


def applies(history: History) -> bool:
    """Whether nodes reported leaders and what is committed and applied."""
    return emitted(history, ["leader", "committed", "applied"])
