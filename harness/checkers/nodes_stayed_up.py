"""Check that no node died except by a fault, and that none hangs."""

from __future__ import annotations

from collections.abc import Sequence

from harness.checkers._looks import Look, looks_of
from harness.checkers._starvation import starved
from harness.checkers._wording import listed
from harness.model.history import History
from harness.model.verdict import Verdict


def nodes_stayed_up(history: History) -> Verdict:
    """No node died by itself, every node that a fault ended came back, and all that run answer when everything is over.

    A node that answers neither when the last call is over nor some seconds later, although it did before, hangs. Foreign
    programs are not asked. Unknown if not even a node's start was recorded, or if the machine kept a process waiting for a CPU
    for more than half of the time in which a node did not answer.
    """
    wrong = history.events[history.events["kind"].isin(["died", "did not start"])]
    if not wrong.empty:
        first = wrong.iloc[0]
        more = f" ({len(wrong) - 1} more)" if len(wrong) > 1 else ""
        return Verdict(
            valid=False, why=f"{first['node']} {first['kind']} at {first['at_ns'] / 1e9:.2f} s: {first['detail']}{more}"
        )
    if not applies(history):
        return Verdict(valid=None, why="it was not recorded what became of the nodes")
    if hanging := silent(looks_of(history.usage), ("over", "end")):
        usage = history.usage
        begin_ns, end_ns = (int(usage["at_ns"][usage["moment"] == moment].max()) for moment in ("over", "end"))
        why = f"{listed(hanging)} ran, but did not answer for {(end_ns - begin_ns) / 1e9:.1f} s when everything was over"
        busy = starved(history, begin_ns, end_ns)
        return Verdict(valid=None if busy else False, why=f"{why}; {busy}" if busy else why)
    return Verdict(valid=True, why="no node died but by a fault, and every node came back")


def silent(looks: Sequence[Look], moments: Sequence[str]) -> list[str]:
    """The nodes that did not report about themselves at any of these moments, though the same process did before."""
    asked = [look for look in looks if look.moment in moments]
    told, answered = ({look.process for look in some if look.tasks is not None} for some in (looks, asked))
    at_all = set.intersection(*({look.process for look in asked if look.moment == moment} for moment in moments))
    return sorted({look.node for look in asked if look.process in at_all & told - answered})


def applies(history: History) -> bool:
    """Whether it was recorded what became of the nodes."""
    return bool(history.events["kind"].isin(["started", "died", "did not start"]).any())
