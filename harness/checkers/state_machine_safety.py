"""Check that all state machines execute the same entries."""

from __future__ import annotations

from harness.checkers._consensus import BrokenEvent, Told, emitted, told
from harness.checkers._wording import count
from harness.model.consensus_events import Applied, Committed
from harness.model.history import History
from harness.model.verdict import Verdict


def state_machine_safety(history: History) -> Verdict:
    """No two different entries are applied or committed at the same index, by any nodes.

    Judges `applied` events, whose entries are told apart by their texts, and `committed` ones, by their terms
    (`harness.model.consensus_events`). O(n). The property is Raft's: D. Ongaro, J. Ousterhout, "In Search of an
    Understandable Consensus Algorithm", USENIX ATC 2014, figure 3.
    """
    try:
        events = told(history, Applied, Committed)
    except BrokenEvent as error:
        return Verdict(valid=None, why=str(error))
    applied: dict[tuple[str, int], tuple[str, Told]] = {}
    committed: dict[tuple[str, int], tuple[str, Told]] = {}
    for each in events:
        event = each.event
        if isinstance(event, Applied):
            verb, entry, found = "applied", event.entry, applied
        elif isinstance(event, Committed):
            verb, entry, found = "committed", f"an entry of term {event.entry_term}", committed
        else:
            continue
        before, first = found.setdefault((event.group, event.index), (entry, each))
        if before != entry:
            return Verdict(
                valid=False, why=f"two entries {verb} at index {event.index}: {before} by {first}, {entry} by {each}"
            )
    if not applied and not committed:
        return Verdict(valid=None, why="no node told what it applied")
    nodes = {each.node for each in events}
    return Verdict(
        valid=True, why=f"{count(len(nodes), 'node')} agree about each of {max(len(applied), len(committed)):,} entries"
    )


def applies(history: History) -> bool:
    """Whether nodes reported what they applied, or what is committed."""
    return emitted(history, ["applied"]) or emitted(history, ["committed"])
