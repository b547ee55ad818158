"""Check that the ranks of a training hold the same parameters."""

from __future__ import annotations

from harness.checkers._steps import at, done, trains
from harness.checkers._wording import count
from harness.model.history import History
from harness.model.verdict import Verdict


def replicas_agree(history: History) -> Verdict:
    """After each step all ranks of a group hold the same parameters, bit for bit.

    Data-parallel ranks apply the same sum to the same parameters. Once two differ, they train two models whose gradients are
    still added up, and nothing fails. Unknown if no step was done by two ranks of a group.
    """
    steps = done(history)
    groups = steps[steps["parameters"].notna()].groupby(["generation", "step"])
    several = groups["node"].nunique() > 1
    if not several.any():
        return Verdict(valid=None, why="no step was done by two ranks")
    differ = groups["parameters"].nunique() > 1
    if not differ.any():
        why = f"the ranks of a group held the same parameters after each of {count(int(several.sum()), 'step')}"
        return Verdict(valid=True, why=why)
    generation, step = differ[differ].index[0]
    rows = steps[(steps["generation"] == generation) & (steps["step"] == step)]
    told = "; ".join(f"{at(row)}: {row['parameters']}" for _, row in rows.iterrows())
    return Verdict(valid=False, why=f"after step {step} the ranks differ, as after {int(differ.sum()):,} steps in all: {told}")


def applies(history: History) -> bool:
    """Whether something was trained."""
    return trains(history)
