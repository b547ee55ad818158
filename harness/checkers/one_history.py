"""Check that a training has one history, even where steps were done again."""

from __future__ import annotations

from harness.checkers._steps import at, done, trains
from harness.checkers._wording import count
from harness.model.history import History
from harness.model.verdict import Verdict


def one_history(history: History) -> Verdict:
    """No two ranks ever did the same step differently, in any group, at any time.

    After a failure steps may be done again, and a rank that was cut off may come back with steps of its own. That is harmless
    if they are the same steps. If they are not, there are two histories: some ranks went on alone, an old coordinator still
    had its followers, or the repeated steps used other samples.
    """
    steps = done(history)
    steps = steps[steps["parameters"].notna()]
    if steps.empty:
        return Verdict(valid=None, why="no step was done of which the parameters are known")
    kinds = steps.groupby("step")["parameters"].nunique()
    torn = kinds[kinds > 1]
    if torn.empty:
        again = int((steps.groupby("step")["generation"].nunique() > 1).sum())
        told = f", {count(again, 'step')} of which in more than one group" if again else ""
        return Verdict(valid=True, why=f"{count(len(kinds), 'step')}, each done in one way{told}")
    step = torn.index.min()
    rows = steps[steps["step"] == step].drop_duplicates("parameters")
    told = "; ".join(f"{at(row)}: {row['parameters']}" for _, row in rows.iterrows())
    return Verdict(valid=False, why=f"step {step} was done in {len(rows)} ways, as were {len(torn):,} steps in all: {told}")


def applies(history: History) -> bool:
    """Whether something was trained."""
    return trains(history)
