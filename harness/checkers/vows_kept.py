"""Check that nodes keep their terms and votes."""

from __future__ import annotations

from harness.checkers._consensus import BrokenEvent, Told, emitted, told
from harness.checkers._wording import count
from harness.model.consensus_events import Vowed
from harness.model.history import History
from harness.model.verdict import Verdict


def vows_kept(history: History) -> Verdict:
    """No node goes back to an earlier term, or votes for two candidates in one, even across restarts.

    Judges `vowed` events (`harness.model.consensus_events`): a node reports a term and vote when they are on its disk, and
    what it finds there at a start. Forgetting a vote is as wrong as giving it twice: the next candidate of the term would get
    it. O(n). Election safety depends on it: D. Ongaro, J. Ousterhout, "In Search of an Understandable Consensus Algorithm",
    USENIX ATC 2014, section 5.2 and figure 2.
    """
    try:
        events = told(history, Vowed)
    except BrokenEvent as error:
        return Verdict(valid=None, why=str(error))
    last: dict[tuple[str, str], tuple[Vowed, Told]] = {}
    for each in events:
        vow, node = each.event, (each.event.group, each.node)
        if not isinstance(vow, Vowed):
            continue
        before, first = last.get(node, (Vowed(term=0, vote=None), each))
        last[node] = vow, each
        if vow.anew:
            continue
        if vow.term < before.term:
            return Verdict(valid=False, why=f"{each} is in term {vow.term}, and was in term {before.term}: {first}")
        if vow.term == before.term and before.vote is not None and vow.vote != before.vote:
            instead = "knows of no vote" if vow.vote is None else f"votes for {vow.vote}"
            why = f"{each} {instead} in term {vow.term}, in which it had voted for {before.vote}: {first}"
            return Verdict(valid=False, why=why)
    if not last:
        return Verdict(valid=None, why="no node told of its term")
    return Verdict(valid=True, why=f"{count(len(last), 'node')} kept to {count(len(events), 'vow')}")


def applies(history: History) -> bool:
    """Whether nodes reported their terms and votes."""
    return emitted(history, ["vowed"])
