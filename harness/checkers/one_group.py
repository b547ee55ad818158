"""Check that only one group of a training trains at a time."""

from __future__ import annotations

from harness.checkers._steps import done, trains
from harness.checkers._wording import count
from harness.model.history import History
from harness.model.node_events import BrokenEvent
from harness.model.training_events import Formed, emitted, told
from harness.model.verdict import Verdict


def one_group(history: History) -> Verdict:
    """No generation is formed twice, and no group goes on once a later one trains.

    In a partition two coordinators may form two groups, each of which trains. If gradients are exchanged exactly, both do the
    same steps, and only this check sees it; if not, it is how a training comes to have two histories. A step that was under way
    when the later group did its first one may still end: a group's members learn one after another that it is over. A step that
    began after that may not.
    """
    formed: dict[int, str] = {}
    try:
        events = told(history, Formed)
    except BrokenEvent as error:
        return Verdict(valid=None, why=str(error))
    for event in events:
        generation, members = event.event.generation, f"{' '.join(event.event.members)} by {event.node}"
        if generation in formed:
            return Verdict(valid=False, why=f"generation {generation} was formed twice: {formed[generation]}; {members}")
        formed[generation] = members
    steps = done(history)
    if steps.empty:
        return Verdict(valid=None, why="no step was done")
    first_ns = {int(generation): int(ns) for generation, ns in steps.groupby("generation")["done_ns"].min().items()}  # type: ignore[call-overload]
    for generation in sorted(first_ns)[:-1]:
        other = min((later for later in first_ns if later > generation), key=lambda later: first_ns[later])
        late = steps[(steps["generation"] == generation) & (steps["begun_ns"] > first_ns[other])]
        if len(late):
            row = late.iloc[0]
            why = (
                f"{row['node']} began step {row['step']} of generation {generation} at {row['begun_ns'] / 1e9:.2f} s and did"
                f" it: generation {other} ({formed.get(other, 'not known who')}) had trained since"
                f" {first_ns[other] / 1e9:.2f} s; {count(len(late), 'such step')}"
            )
            return Verdict(valid=False, why=why)
    return Verdict(valid=True, why=f"{count(len(first_ns), 'group')} trained, one after another")


def applies(history: History) -> bool:
    """Whether a coordinator formed groups that trained."""
    return trains(history) and emitted(history, Formed) > 0
