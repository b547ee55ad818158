"""Check that a training uses every sample once per epoch, and in another order in the next."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from typing import Final

import pandas as pd

from harness.checkers._steps import control, done, stand, trains
from harness.checkers._wording import count, listed
from harness.model.history import CONTROL, History
from harness.model.node_events import BrokenEvent, Told
from harness.model.training_events import BatchGiven, Membership, told
from harness.model.verdict import Verdict

_FEWEST_SAMPLES: Final = 50
_FEWEST_STEPS: Final = 3
"""Orders of fewer samples, or in fewer steps, may be alike by chance."""


def every_sample_once(history: History) -> Verdict:
    """Every sample that was due by the last step went into one step, and no sample into two, whatever failed in between.

    A step belongs to the last group that did it. It uses what all ranks of the group contributed, also those that did not
    live to see its end. Which samples are due is taken from the undisturbed training. Each epoch is judged by itself: the
    same sample in the next epoch is another use. If a master gives each worker batches of its own, they may be applied in any
    order: a batch is then not missed while a worker has it that still belongs to the training, or until a later one is given.

    No epoch takes the samples in the order of the one before, as a `DistributedSampler` does whose `set_epoch` is not called.
    The undisturbed training cannot tell: it takes the same order.
    """
    steps, expected = done(history), control(history)["samples"].dropna()
    steps = steps[stand(history, steps)]
    if steps.empty:
        return Verdict(valid=None, why="no step was done that stands")
    last = int(steps["step"].max())
    due = expected[expected.index <= last]
    if len(due) <= last:
        return Verdict(valid=None, why=f"there is no control for step {last}")
    begun = history.steps[history.steps["node"] != CONTROL]
    stands = begun[stand(history, begun)]
    used, wanted = _samples(stands["samples"]), _samples(due)
    ahead = _samples(expected[expected.index.isin(begun["batch"])])
    try:
        under_way = _samples(expected[expected.index.isin(_under_way(history, steps))])
    except BrokenEvent as error:
        return Verdict(valid=None, why=str(error))
    repeated = [sample for sample, number in used.items() if number > 1]
    missing = [sample for sample in wanted if sample not in used and sample not in under_way]
    strange = [sample for sample in used if sample not in wanted and sample not in ahead]
    if repeated or missing or strange:
        parts = [("used more than once", repeated), ("never used", missing), ("used and not due", strange)]
        told = "; ".join(f"{len(found):,} {what}: {listed(found)}" for what, found in parts if found)
        return Verdict(valid=False, why=f"of {count(len(wanted), 'sample')} (epoch:sample) by step {last}, {told}")
    if (epoch := _same_order(stands)) is not None:
        return Verdict(valid=False, why=f"epoch {epoch} takes the samples in the order of epoch {epoch - 1}: not shuffled anew")
    return Verdict(valid=True, why=f"{count(len(wanted), 'sample')} in {count(last + 1, 'step')}, each used once")


def _under_way(history: History, steps: pd.DataFrame) -> set[int]:
    """The batches that no worker has had to apply yet, at the master of the last of these steps: those that its workers have,
    and those that it is about to give out. It gives them out in their order, and before any other those of a worker that it
    has removed; so what it has passed over is not among them.

    The master says what it gives. A worker may never hear of it, for example if it is cut off at the end of the run.
    """
    last = steps.sort_values("step").iloc[-1]
    moves: list[Told[BatchGiven | Membership]] = told(history, BatchGiven, Membership)
    events = [event for _, _, event in moves if event.term == last["generation"]]
    if not events:  # its workers compute parts of the same batch
        return set()
    has: dict[str, int] = {}
    waiting = set(range(last["step"] + 1))
    for event in events:
        match event:
            case BatchGiven():
                has[event.worker] = event.batch
                waiting = {batch for batch in waiting if batch > event.batch}
            case Membership(present=False) if event.worker in has:
                waiting.add(has.pop(event.worker))
            case _:
                pass
    return waiting.union(has.values())


def _samples(texts: object) -> Counter[str]:
    return Counter(sample for text in texts for sample in text.split())  # type: ignore[attr-defined]


def _same_order(steps: pd.DataFrame) -> int | None:
    """The first epoch that takes the samples in the order of the one before, if there is one.

    Then each sample comes equally many steps later, or one more, since an epoch may end in the middle of a step. How far a
    step's samples are apart within it does not matter.
    """
    places: dict[int, dict[int, int]] = defaultdict(dict)
    for at, samples in zip(steps["batch"].fillna(steps["step"]), steps["samples"], strict=True):
        for text in samples.split():
            epoch, _, sample = text.partition(":")
            places[int(epoch)][int(sample)] = int(at)
    for before, epoch in pairwise(sorted(places)):
        common = places[before].keys() & places[epoch].keys()
        steps_of = [{places[number][sample] for sample in common} for number in (before, epoch)]
        if epoch != before + 1 or len(common) < _FEWEST_SAMPLES or min(map(len, steps_of)) < _FEWEST_STEPS:
            continue
        later = {places[epoch][sample] - places[before][sample] for sample in common}
        if max(later) - min(later) <= 1:
            return epoch
    return None


def applies(history: History) -> bool:
    """Whether something was trained, and a control was made."""
    return trains(history) and not control(history).empty
