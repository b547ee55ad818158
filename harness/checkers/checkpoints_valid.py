"""Whether a training resumed from the newest checkpoint that it could, and told why if it was not the newest."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import pandas as pd

from harness.checkers._steps import trains
from harness.checkers._wording import count
from harness.model.history import History
from harness.model.verdict import Verdict

_RESUMED, _SAVED, _REFUSED, _TAKEN_BACK, _NOT_SAVED = "resumed", "saved", "refused", "taken back", "not saved"
_UNKNOWN: Final = -1
_STEP: Final = re.compile(r"\bstep (\d+)\b")


def checkpoints_valid(history: History) -> Verdict:
    """Whoever resumes does so from the newest checkpoint that was saved, or a later one, and is told of each that is refused.

    A rank that holds no state, with no other one that does, resumes: from step 0 if nothing was saved. It is wrong to resume
    from an older checkpoint, or the beginning, while a newer one was saved, was not refused, and its steps were not taken
    back. A checkpoint is saved from when the training says so; one that was made just before a kill may be later than any
    of these. Unknown if nobody resumed after a checkpoint had been saved.
    """
    saved: set[int] = set()
    refused: set[int] = set()
    unreadable: set[str] = set()
    resumed, ever = 0, 0
    for event in _events(history.events):
        if event.kind == _SAVED:
            saved.add(event.step)
            ever += 1
            refused.discard(event.step)
            unreadable.clear()
        elif event.kind == _REFUSED and event.step == _UNKNOWN:
            unreadable.add(event.detail)
        elif event.kind == _REFUSED:
            refused.add(event.step)
        elif event.kind == _TAKEN_BACK:
            saved = {one for one in saved if one <= event.step}
        elif ever:
            resumed += 1
            usable = sorted(saved - refused, reverse=True)[len(unreadable) :]
            if usable and event.step < usable[0]:
                what = f"{event.node} resumed with step {event.step} at {event.at_ns / 1e9:.2f} s"
                return Verdict(valid=False, why=f"{what}, though step {usable[0]} was saved, and not refused")
    told = f"{count(ever, 'checkpoint')} saved"
    alarms = int((history.events["kind"] == _NOT_SAVED).fillna(False).sum())
    if alarms:
        told += f", {count(alarms, 'alarm')} about what was not"
    if not resumed:
        return Verdict(valid=None, why=f"{told}; nobody resumed after that")
    if refused:
        told += f", {len(refused)} refused"
    return Verdict(valid=True, why=f"{told}; each of {resumed} resumed from the newest that could be used")


class _Event(NamedTuple):
    at_ns: int
    node: str
    kind: str
    step: int
    detail: str


def _events(events: pd.DataFrame) -> list[_Event]:
    """What was said of checkpoints, in the order of time; a file that cannot be read is of no known step."""
    rows = events[events["kind"].isin([_RESUMED, _SAVED, _REFUSED, _TAKEN_BACK]).to_numpy(dtype=bool)]
    found: list[_Event] = []
    for node, at_ns, kind, detail in zip(rows["node"], rows["at_ns"].tolist(), rows["kind"], rows["detail"], strict=True):
        step = _STEP.search(str(detail))
        if kind != _REFUSED or ".json" in str(detail):  # other things can be refused as well
            found.append(_Event(at_ns, str(node), str(kind), int(step.group(1)) if step else _UNKNOWN, str(detail)))
    return sorted(found, key=lambda event: event.at_ns)


def applies(history: History) -> bool:
    """Whether something was trained, and checkpoints were saved."""
    return trains(history) and bool((history.events["kind"] == _SAVED).fillna(False).any())
