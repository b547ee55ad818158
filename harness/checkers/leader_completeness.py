"""Check that every new leader has all entries committed in earlier terms."""

from __future__ import annotations

from collections import defaultdict

from harness.checkers._consensus import MISSING, BrokenEvent, Log, Told, emitted, told
from harness.checkers._wording import count
from harness.model.consensus_events import Appended, Committed, Installed, Leader, Truncated
from harness.model.history import History
from harness.model.verdict import Verdict


def leader_completeness(history: History) -> Verdict:
    """An entry that was committed in one term is in the log of the leader of every later term when it becomes the leader.

    Judges `leader`, `committed`, `appended`, `truncated` and `installed` events (`harness.model.consensus_events`). Two
    entries are the same if their index and term are. The term of a `committed` event is the node's own: the entry was
    committed in it or before. What is before a snapshot's end counts as present. O(n + leaders · committed entries). The
    property is Raft's: D. Ongaro, J. Ousterhout, "In Search of an Understandable Consensus Algorithm", USENIX ATC 2014,
    figure 3.
    """
    try:
        events = told(history, Leader, Committed, Appended, Truncated, Installed)
    except BrokenEvent as error:
        return Verdict(valid=None, why=str(error))
    committed: dict[str, dict[tuple[int, int], tuple[int, Told]]] = defaultdict(dict)
    for each in events:
        if isinstance(each.event, Committed):
            entries, entry = committed[each.event.group], (each.event.index, each.event.entry_term)
            if entry not in entries or each.event.term < entries[entry][0]:
                entries[entry] = (each.event.term, each)
    logs: dict[tuple[str, str], Log] = defaultdict(Log)
    leaders, asked = 0, 0
    for each in events:
        event, log = each.event, logs[each.event.group, each.node]
        if not isinstance(event, Leader):
            log.play(event)
            continue
        leaders += 1
        for (index, entry_term), (term, first) in committed[event.group].items():
            if term >= event.term:
                continue
            asked += 1
            found = log.term(index)
            if found is not None and found != entry_term:
                instead = "nothing" if found == MISSING else f"an entry of term {found}"
                why = (
                    f"{each.node} became leader of term {event.term} at {each.at_ns / 1e9:.3f} s with {instead} at index"
                    f" {index}, where an entry of term {entry_term} was committed in term {term} ({first})"
                )
                return Verdict(valid=False, why=why)
    if not asked:
        return Verdict(valid=None, why="no leader came after a committed entry, so none could lack it")
    return Verdict(valid=True, why=f"{count(leaders, 'leader')} had every entry committed in earlier terms")


def applies(history: History) -> bool:
    """Whether nodes reported who leads, what is in their logs and what is committed."""
    return emitted(history, ["leader", "appended", "committed"])
