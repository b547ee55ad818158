"""Check that a training resumed from the newest checkpoint it could, and said why it refused a newer one."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from harness.checkers._steps import trains
from harness.checkers._wording import count
from harness.model.history import CONTROL, History
from harness.model.node_events import BrokenEvent
from harness.model.training_events import CheckpointRefused, NotSaved, NotWithdrawn, Resumed, Saved, TakenBack, emitted, told
from harness.model.verdict import Verdict

_Made = tuple[int, int]
"""A checkpoint: the generation that made it, and its step."""

_START: Final = 0
"""Comes before every generation that makes checkpoints."""


def checkpoints_valid(history: History) -> Verdict:
    """A training resumes from the newest checkpoint that was saved, or a later one, and reports each one that it refuses.

    A rank resumes if neither it nor any other rank holds state, from step 0 if nothing was saved. It is wrong to resume from
    an older checkpoint, or the beginning, while a newer one was saved, this rank did not refuse it in this generation, and its
    steps were not taken back. It is also wrong to resume from steps that were taken back if no later group has begun them
    again. A checkpoint counts as saved once the training says so; one that was made just before a kill may be later than any
    of these. Unknown if no rank resumed after a checkpoint had been saved.

    If each generation has its own checkpoints, as a master's term has, the newest are those of the highest generation before
    this one that has any, whatever their steps: a term that began with an older checkpoint may have saved lower steps than
    the term before it.
    """
    try:
        events = told(history, Resumed, Saved, CheckpointRefused, TakenBack, NotWithdrawn)
    except BrokenEvent as error:
        return Verdict(valid=None, why=str(error))
    known = _Known(each_its_own=any(isinstance(one.event, Resumed) and one.event.of_generation is not None for one in events))
    refused: set[int] = set()
    resumed, ever = 0, 0
    for at_ns, node, event in events:
        match event:
            case Saved():
                ever += 1
                known.save(event)
            case CheckpointRefused():
                known.refuse(node, event)
                refused |= set() if event.step is None else {event.step}
            case TakenBack() | NotWithdrawn():
                known.taken_back.append((event.generation, event.step))
            case Resumed() if ever:
                resumed += 1
                if (why := known.wrong(node, event, history)) is not None:
                    what = f"{node} resumed with step {event.step} at {at_ns / 1e9:.2f} s"
                    return Verdict(valid=False, why=f"{what}, though {why}")
    found = f"{count(ever, 'checkpoint')} saved"
    alarms = emitted(history, NotSaved)
    if alarms:
        found += f", {count(alarms, 'alarm')} about what was not"
    if not resumed:
        return Verdict(valid=None, why=f"{found}; nobody resumed after that")
    if refused:
        found += f", {len(refused)} refused"
    return Verdict(valid=True, why=f"{found}; each of {resumed} resumed from the newest that could be used")


@dataclass(kw_only=True)
class _Known:
    """What the training has said about its checkpoints so far."""

    each_its_own: bool
    """Whether each generation has its own checkpoints."""
    taken_back: list[_Made] = field(default_factory=list)
    """With their generation, and all earlier ones, later steps than these."""
    _saved: set[_Made] = field(default_factory=set)
    _refused: dict[tuple[str, int], set[int]] = field(default_factory=lambda: defaultdict(set))
    """By node and generation: each node looks for itself, each time anew."""
    _unreadable: dict[tuple[str, int], set[str]] = field(default_factory=lambda: defaultdict(set))

    def save(self, saved: Saved) -> None:
        self._saved.add((saved.generation, saved.step))
        for steps in self._refused.values():
            steps.discard(saved.step)
        self._unreadable.clear()

    def refuse(self, node: str, refused: CheckpointRefused) -> None:
        by = node, refused.generation
        if refused.step is None:
            self._unreadable[by].add(refused.file)
        else:
            self._refused[by].add(refused.step)

    def wrong(self, node: str, resumed: Resumed, history: History) -> str | None:
        """Why a node should not have resumed from this checkpoint."""
        newest = self._newest(node, resumed)
        if newest is not None and self._place(resumed.of_generation or _START, resumed.step) < self._place(*newest):
            generation, step = newest
            return f"step {step}{f' of generation {generation}' if self.each_its_own else ''} was saved, and not refused"
        for generation, step in self.taken_back:
            if generation < resumed.generation and step < resumed.step and not _begun_again(history, generation, resumed):
                return f"steps after {step} were taken back, and no group has begun step {resumed.step - 1} again"
        return None

    def _newest(self, node: str, resumed: Resumed) -> _Made | None:
        """The newest checkpoint that it could use; None if there is none."""
        by = node, resumed.generation
        usable = {
            self._place(generation, step): (generation, step)
            for generation, step in self._saved
            if step not in self._refused[by]
            and not any(generation <= last and step > kept for last, kept in self.taken_back)
            and not (self.each_its_own and generation >= resumed.generation)
        }
        newest_first = [usable[place] for place in sorted(usable, reverse=True)]
        return next(iter(newest_first[len(self._unreadable[by]) :]), None)

    def _place(self, generation: int, step: int) -> _Made:
        """The order of checkpoints, the newest last."""
        return (generation if self.each_its_own else _START), step


def _begun_again(history: History, generation: int, resumed: Resumed) -> bool:
    """Whether a group after this generation, and before the one that resumed, has begun the last step of its checkpoint."""
    steps = history.steps[history.steps["node"] != CONTROL]
    again = (steps["generation"] > generation) & (steps["generation"] < resumed.generation)
    return bool((again & (steps["step"] == resumed.step - 1)).any())


def applies(history: History) -> bool:
    """Whether something was trained, and checkpoints were saved."""
    return trains(history) and emitted(history, Saved) > 0
