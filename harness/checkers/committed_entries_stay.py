"""Check that nodes keep the entries that they know to be committed."""

from __future__ import annotations

from harness.checkers._consensus import BrokenEvent, Told, emitted, told
from harness.model.consensus_events import Appended, Committed
from harness.model.history import History
from harness.model.verdict import Verdict


def committed_entries_stay(history: History) -> Verdict:
    """No node replaces an entry of its log that it knows to be committed.

    Judges `committed` and `appended` events (`harness.model.consensus_events`); entries are told apart by their terms. A node
    that loses such an entry may get it back a moment later, and nothing else shows it; but if others die in that moment, the
    entry is lost. O(n). It follows from the properties of Raft: D. Ongaro, J. Ousterhout, "In Search of an Understandable
    Consensus Algorithm", USENIX ATC 2014, figure 3.
    """
    try:
        events = told(history, Committed, Appended)
    except BrokenEvent as error:
        return Verdict(valid=None, why=str(error))
    known: dict[tuple[str, str, int], tuple[int, Told]] = {}
    for each in events:
        event = each.event
        if isinstance(event, Committed):
            known.setdefault((event.group, each.node, event.index), (event.entry_term, each))
        elif isinstance(event, Appended):
            term, first = known.get((event.group, each.node, event.index), (event.entry_term, each))
            if term != event.entry_term:
                why = (
                    f"{each} put an entry of term {event.entry_term} at index {event.index}, where it knew one of term {term}"
                    f" to be committed: {first}"
                )
                return Verdict(valid=False, why=why)
    if not known:
        return Verdict(valid=None, why="no node told of an entry that is committed")
    return Verdict(valid=True, why=f"{len(known):,} committed entries stayed where they were")


def applies(history: History) -> bool:
    """Whether nodes reported what is in their logs, and what is committed."""
    return emitted(history, ["committed", "appended"])
