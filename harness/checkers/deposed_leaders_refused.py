"""Check that deposed leaders are refused."""

from __future__ import annotations

from harness.checkers._consensus import BrokenEvent, Told, emitted, told
from harness.checkers._wording import count
from harness.model.consensus_events import Obeys, Refused
from harness.model.history import History
from harness.model.verdict import Verdict


def deposed_leaders_refused(history: History) -> Verdict:
    """No node obeys a leader after it has obeyed one of a later term, even across its own restarts; and one was refused.

    Judges `obeys` and `refused` events (`harness.model.consensus_events`). A leader that was stopped or cut off goes on when
    it wakes up as if it still led. What stops it is that the others know of a later term: fencing. Unknown if none was
    refused, since nothing was tested then. O(n). After M. Kleppmann, "How to do distributed locking", 2016.
    """
    try:
        events = told(history, Obeys, Refused)
    except BrokenEvent as error:
        return Verdict(valid=None, why=str(error))
    obeyed: dict[tuple[str, str], tuple[int, Told]] = {}
    refused: list[Refused] = []
    for each in events:
        if isinstance(each.event, Refused):
            refused.append(each.event)
        elif isinstance(each.event, Obeys):
            term, first = obeyed.get((each.event.group, each.node), (0, each))
            if each.event.term < term:
                why = f"{each} obeyed the leader of term {each.event.term}, after that of {term} ({first})"
                return Verdict(valid=False, why=why)
            obeyed[each.event.group, each.node] = (each.event.term, each)
    if not refused:
        return Verdict(valid=None, why="no leader of an earlier term asked anything, so none could be refused")
    terms = sorted({event.term for event in refused})
    which = f"term{'s' if len(terms) > 1 else ''} {', '.join(map(str, terms))}"
    return Verdict(valid=True, why=f"{count(len(refused), 'request')} of deposed leaders ({which}) refused")


def applies(history: History) -> bool:
    """Whether nodes reported of leaders that they refused."""
    return emitted(history, ["obeys", "refused"])
