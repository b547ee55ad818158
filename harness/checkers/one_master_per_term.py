"""Check that each term of a parameter server has one master."""

from __future__ import annotations

from harness.checkers._steps import has_master, masters_and_workers
from harness.checkers._wording import count
from harness.model.history import History
from harness.model.node_events import BrokenEvent
from harness.model.training_events import Resumed, told
from harness.model.verdict import Verdict


def one_master_per_term(history: History) -> Verdict:
    """No term begins twice, at one server or at two, and only the server that began it does its steps.

    If all gradients of a step are added in one order, two masters of a term do the same steps with the same bits, and nothing
    else shows them. A master begins a term when it resumes a checkpoint, or starts with step 0 (the event `resumed`). A server
    that begins a term again after a restart did not remember that it had led it. Unknown if no master began a term.
    """
    masters, workers = masters_and_workers(history)
    if not workers:
        return Verdict(valid=None, why="no master has done a step with workers")
    began: dict[int, str] = {}
    try:
        events = told(history, Resumed)
    except BrokenEvent as error:
        return Verdict(valid=None, why=str(error))
    for at_ns, node, event in events:
        this = f"{node} at {at_ns / 1e9:.2f} s"
        if (first := began.setdefault(event.generation, this)) is not this:
            return Verdict(valid=False, why=f"term {event.generation} began twice: {first}, and {this}")
    if not began:
        return Verdict(valid=None, why="no master told that its term began")
    done = history.steps[history.steps["node"].isin(masters)].drop_duplicates(["generation", "node"])
    for term, node, step in zip(done["generation"].tolist(), done["node"], done["step"], strict=True):
        by = began.get(term)
        if by is not None and by.split()[0] != node:
            return Verdict(valid=False, why=f"{node} did step {step} of term {term}, which {by} had begun")
    return Verdict(valid=True, why=f"{count(len(began), 'term')}, each with one master")


def applies(history: History) -> bool:
    """Whether masters have done steps with workers."""
    return has_master(history)
