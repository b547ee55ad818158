"""Check that two logs that share an entry are the same up to it."""

from __future__ import annotations

from collections import defaultdict

from harness.checkers._consensus import MISSING, BrokenEvent, Log, Told, emitted, told
from harness.checkers._wording import count
from harness.model.consensus_events import Appended, Installed, Truncated
from harness.model.history import History
from harness.model.verdict import Verdict


def log_matching(history: History) -> Verdict:
    """If two logs ever have an entry with the same index and term, they have that entry and all before it in common.

    Judges `appended`, `truncated` and `installed` events (`harness.model.consensus_events`). It is enough that all entries
    with the same index and term have the same text, and the same term in the entry before: the rest follows by induction.
    What is before a snapshot's end is taken to be right. O(n). The property is Raft's: D. Ongaro, J. Ousterhout, "In Search of
    an Understandable Consensus Algorithm", USENIX ATC 2014, figure 3.
    """
    try:
        events = told(history, Appended, Truncated, Installed)
    except BrokenEvent as error:
        return Verdict(valid=None, why=str(error))
    logs: dict[tuple[str, str], Log] = defaultdict(Log)
    texts: dict[tuple[str, int, int], tuple[str, Told]] = {}
    befores: dict[tuple[str, int, int], tuple[int, Told]] = {}
    for each in events:
        event, log = each.event, logs[each.event.group, each.node]
        log.play(event)
        if not isinstance(event, Appended):
            continue
        entry = (event.group, event.index, event.entry_term)
        where = f"index {event.index}, term {event.entry_term}"
        text, first = texts.setdefault(entry, (event.entry, each))
        if text != event.entry:
            return Verdict(valid=False, why=f"two entries of {where}: {text} on {first}, and {event.entry} on {each}")
        if (term := log.term(event.index - 1)) is None:
            continue
        before, first = befores.setdefault(entry, (term, each))
        if before != term:
            why = f"the entries before {where} differ: {_entry(before)} on {first}, and {_entry(term)} on {each}"
            return Verdict(valid=False, why=why)
    if not texts:
        return Verdict(valid=None, why="no node told of an entry in its log")
    return Verdict(valid=True, why=f"{len(texts):,} entries in {count(len(logs), 'log')} match")


def _entry(term: int) -> str:
    return "none" if term == MISSING else f"one of term {term}"


def applies(history: History) -> bool:
    """Whether nodes reported what is in their logs."""
    return emitted(history, ["appended"])
