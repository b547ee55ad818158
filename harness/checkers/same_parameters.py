"""Check that a training ends up, bit for bit, where it does undisturbed."""

from __future__ import annotations

from harness.checkers._steps import at, control, done, trains, undisturbed
from harness.checkers._wording import count
from harness.model.history import History
from harness.model.verdict import Verdict


def same_parameters(history: History) -> Verdict:
    """After each step the parameters on every rank are, bit for bit, those of the same training without faults.

    The control is a training from the same seed that nothing disturbed. A sample that was skipped or used twice, a gradient
    that came late, a step that was lost with its optimizer's state: each changes bits, and the bits of all steps that follow.
    An asynchronous training has no order that two runs share: its control repeats the recorded updates one by one.
    """
    steps = done(history)
    if steps.empty:
        return Verdict(valid=None, why="no step was done")
    right, judged = undisturbed(history, steps)
    known = steps[judged]
    wrong = known[(known["parameters"].array != right[judged].array).fillna(True)]
    if wrong.empty and len(known) < len(steps):
        missing = int(steps["step"].nunique() - known["step"].nunique())
        return Verdict(valid=None, why=f"there is no control for {count(missing, 'step')} of {steps['step'].nunique():,}")
    if wrong.empty:
        why = f"after each of {count(steps['step'].nunique(), 'step')} as in an undisturbed training, bit for bit"
        return Verdict(valid=True, why=why)
    first = wrong.loc[wrong["step"].idxmin()]
    return Verdict(
        valid=False,
        why=f"after step {first['step']} the parameters differ from an undisturbed training's ({at(first)}), and so after"
        f" {count(wrong['step'].nunique(), 'step')} in all, of {steps['step'].nunique():,}",
    )


def applies(history: History) -> bool:
    """Whether something was trained, and a control was made."""
    return trains(history) and not control(history).empty
