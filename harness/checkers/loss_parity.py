"""Check that a training learns as well as one that exchanges every bit."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from harness.checkers._steps import at, control, done, stand, trains, undisturbed
from harness.checkers._wording import count
from harness.model.errors import UsageError
from harness.model.history import History
from harness.model.verdict import Checker, Verdict

SHARE: Final = 0.1
LEARNT: Final = 0.5
_STEPS: Final = 40
_LAST: Final = 4
"""The last quarter of the steps is looked at."""


def loss_parity(history: History) -> Verdict:
    """In the last quarter of the steps the loss has dropped by at least 90% as much as in the undisturbed training.

    Gradients that are compressed, or averaged in another order, change bits; they must not change what is learned. Both
    losses are of the same samples, step by step; of a step that was done again, the last time counts. The drops are compared,
    because a share of a loss that is nearly 0 is noise. Unknown with fewer than 40 steps, or while the control's own loss has
    not halved: until then a training that learns nothing looks like one that learns. `loss_parity_within` takes other bounds.
    """
    return _judged(history, SHARE, LEARNT)


def loss_parity_within(share: float, *, learnt: float = LEARNT) -> Checker:
    """The same check with other bounds.

    `share` of the control's gain may be missing; the verdict is unknown while the control has not lost `learnt` of its first
    loss.
    """
    if not (0 < share < 1 and 0 < learnt < 1):
        raise UsageError(f"loss_parity_within({share!r}, learnt={learnt!r}): shares between 0 and 1, such as 0.05 and 0.5.")

    def loss_parity(history: History) -> Verdict:
        return _judged(history, share, learnt)

    loss_parity.__doc__ = f"The loss comes down by at least {1 - share:.0%} of what the undisturbed training's does."
    return loss_parity


def _judged(history: History, share: float, learnt: float) -> Verdict:
    steps, expected = done(history), control(history)["loss"].dropna()
    steps = steps[stand(history, steps)]
    if steps["loss"].isna().all():
        return Verdict(valid=None, why="no step was done of which the loss is known")
    strange = steps[~np.isfinite(steps["loss"].to_numpy(dtype=np.float64, na_value=np.nan))]
    if len(strange):
        first = strange.loc[strange["step"].idxmin()]
        return Verdict(valid=False, why=f"the loss of step {first['step']} is no finite number ({at(first)})")
    own = steps.groupby("step")["loss"].mean()
    both = pd.DataFrame({"own": own, "control": expected}).dropna().astype(float)
    if len(both) < max(_STEPS, len(own)):
        few = f"only {count(len(both), 'step')} can be compared of {len(own):,} done, and it takes {_STEPS}"
        return Verdict(valid=None, why=few)
    last = both.tail(len(both) // _LAST)
    begins, reached, ours = both["control"].iloc[0], last["control"].mean(), last["own"].mean()
    if begins - reached < learnt * begins:
        return Verdict(
            valid=None, why=f"the control's loss has only come from {begins:.3g} to {reached:.3g}: too early to tell"
        )
    gained = (begins - ours) / (begins - reached)
    why = (
        f"a loss of {ours:.3g} in the last {count(len(last), 'step')} of {len(both):,}, where an undisturbed training has"
        f" {reached:.3g}: {gained:.1%} of its gain"
    )
    return Verdict(valid=bool(gained >= 1 - share), why=f"{why}; at least {1 - share:.0%} is parity")


def applies(history: History) -> bool:
    """Whether something was trained whose bits are not those of the control, and both losses are known."""
    if not trains(history) or control(history)["loss"].isna().all():
        return False
    steps = done(history)
    expected, _ = undisturbed(history, steps)
    return bool((steps["parameters"].array != expected.array).fillna(True).any())
