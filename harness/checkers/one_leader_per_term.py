"""Check that each term has at most one leader."""

from __future__ import annotations

from harness.checkers._consensus import BrokenEvent, Told, emitted, told
from harness.checkers._wording import count
from harness.model.consensus_events import Leader
from harness.model.history import History
from harness.model.verdict import Verdict


def one_leader_per_term(history: History) -> Verdict:
    """No two nodes become leader in the same term.

    Judges `leader` events, see `harness.model.consensus_events`. O(n). The property is Raft's election safety: D. Ongaro,
    J. Ousterhout, "In Search of an Understandable Consensus Algorithm", USENIX ATC 2014, figure 3.
    """
    try:
        events = told(history, Leader)
    except BrokenEvent as error:
        return Verdict(valid=None, why=str(error))
    if not events:
        return Verdict(valid=None, why="no node told that it leads")
    leaders: dict[tuple[str, int], Told] = {}
    for each in events:
        if not isinstance(each.event, Leader):
            continue
        first = leaders.setdefault((each.event.group, each.event.term), each)
        if first.node != each.node:
            return Verdict(valid=False, why=f"two leaders in term {each.event.term}: {first}, and {each}")
    return Verdict(valid=True, why=f"{count(len(leaders), 'term')} with one leader each")


def applies(history: History) -> bool:
    """Whether nodes reported who leads."""
    return emitted(history, ["leader"])
