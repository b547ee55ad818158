"""Check that a training resumed from the newest checkpoint it could, and said why it refused a newer one."""

from __future__ import annotations

from harness.checkers._steps import trains
from harness.checkers._wording import count
from harness.model.history import History
from harness.model.node_events import BrokenEvent
from harness.model.training_events import CheckpointRefused, NotSaved, Resumed, Saved, TakenBack, emitted, told
from harness.model.verdict import Verdict


def checkpoints_valid(history: History) -> Verdict:
    """A training resumes from the newest checkpoint that was saved, or a later one, and reports each one that it refuses.

    A rank resumes if neither it nor any other rank holds state, from step 0 if nothing was saved. It is wrong to resume from
    an older checkpoint, or the beginning, while a newer one was saved and not refused, and its steps were not taken back. A
    checkpoint counts as saved once the training says so; one that was made just before a kill may be later than any of
    these. Unknown if no rank resumed after a checkpoint had been saved.
    """
    try:
        events = told(history, Resumed, Saved, CheckpointRefused, TakenBack)
    except BrokenEvent as error:
        return Verdict(valid=None, why=str(error))
    saved: set[int] = set()
    refused: set[int] = set()
    unreadable: set[str] = set()
    resumed, ever = 0, 0
    for at_ns, node, event in events:
        match event:
            case Saved(step=step):
                saved.add(step)
                ever += 1
                refused.discard(step)
                unreadable.clear()
            case CheckpointRefused(step=None, file=file):
                unreadable.add(file)
            case CheckpointRefused(step=int(step)):
                refused.add(step)
            case TakenBack(step=step):
                saved = {one for one in saved if one <= step}
            case Resumed(step=step) if ever:
                resumed += 1
                usable = sorted(saved - refused, reverse=True)[len(unreadable) :]
                if usable and step < usable[0]:
                    what = f"{node} resumed with step {step} at {at_ns / 1e9:.2f} s"
                    return Verdict(valid=False, why=f"{what}, though step {usable[0]} was saved, and not refused")
    found = f"{count(ever, 'checkpoint')} saved"
    alarms = emitted(history, NotSaved)
    if alarms:
        found += f", {count(alarms, 'alarm')} about what was not"
    if not resumed:
        return Verdict(valid=None, why=f"{found}; nobody resumed after that")
    if refused:
        found += f", {len(refused)} refused"
    return Verdict(valid=True, why=f"{found}; each of {resumed} resumed from the newest that could be used")


def applies(history: History) -> bool:
    """Whether something was trained, and checkpoints were saved."""
    return trains(history) and emitted(history, Saved) > 0
