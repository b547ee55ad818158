"""Check that a training resumed from a checkpoint repeats exactly what it had done."""

from __future__ import annotations

import pandas as pd

from harness.checkers._steps import at, done, trains
from harness.checkers._wording import count
from harness.model.history import History
from harness.model.node_events import BrokenEvent
from harness.model.training_events import Resumed, told
from harness.model.verdict import Verdict


def resumes_exactly(history: History) -> Verdict:
    """If ranks resume from a checkpoint from which the same ranks had gone on before, the steps give the same bits.

    So the checkpoint holds everything that the next step depends on: parameters, the optimizer's momentum, the residue of
    compression, random numbers, the place in the data. This can also be asked of trainings whose bits depend on which ranks
    take part. It compares a group all of whose members reported that they `resumed` with a step, and an earlier group of the
    same members that had done that step and the one before. Unknown if there is no such pair.
    """
    try:
        resumed = _resumed(history)
    except BrokenEvent as error:
        return Verdict(valid=None, why=str(error))
    steps = done(history)
    groups = {int(str(number)): rows.set_index("step") for number, rows in steps.groupby("generation")}
    compared = 0
    for generation, (step, who) in resumed.items():
        again = groups.get(generation)
        if again is None or who != set(again["node"]):
            continue
        for number, before in groups.items():
            if number >= generation or set(before["node"]) != who or not {step - 1, step} <= set(before.index):
                continue
            common = sorted(set(before.index) & set(again.index))
            compared += len(common)
            if wrong := _first_difference(before, again, common):
                return Verdict(valid=False, why=f"resumed with step {step}, and {wrong}")
    if not compared:
        return Verdict(valid=None, why="no group resumed from a checkpoint that the same ranks had gone on from before")
    return Verdict(valid=True, why=f"{count(compared, 'step')} done again after a resumption, each as before, bit for bit")


def _first_difference(before: pd.DataFrame, again: pd.DataFrame, common: list[int]) -> str:
    for step in common:
        old, new = before.loc[[step]], again.loc[[step]]
        if set(old["parameters"]) != set(new["parameters"]):
            rows = (old.reset_index().iloc[0], new.reset_index().iloc[0])
            told = "; ".join(f"{at(row)}: {row['parameters']}" for row in rows)
            return f"step {step} came out differently from before: {told}"
    return ""


def _resumed(history: History) -> dict[int, tuple[int, frozenset[str]]]:
    """By generation, the step that its members resumed with, and who they are. The very first start does not count."""
    found: dict[int, tuple[int, set[str]]] = {}
    for _, node, event in told(history, Resumed):
        if event.step:
            _, who = found.setdefault(event.generation, (event.step, set()))
            who.add(node)
    return {generation: (step, frozenset(who)) for generation, (step, who) in found.items()}


def applies(history: History) -> bool:
    """Whether a training resumed from a checkpoint."""
    try:
        return trains(history) and bool(_resumed(history))
    except BrokenEvent:
        return True  # the checker says what is amiss
