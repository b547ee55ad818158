"""Check that a rank of a training that computes wrongly, or whose memory changed, is named, and no other rank."""

from __future__ import annotations

from typing import Final

import msgspec
import pandas as pd

from harness.checkers._steps import at, control, done, trains
from harness.checkers._wording import count, listed
from harness.model import training_events
from harness.model.errors import UsageError
from harness.model.history import History
from harness.model.node_events import BrokenEvent, told
from harness.model.training_events import Named, NotWithdrawn, TakenBack
from harness.model.verdict import Checker, Verdict

FLIPPED: Final = "bit_flipped"
"""The event by which a node tells that a bit of what it computes, or keeps, was flipped."""

LIMIT_STEPS: Final = 40
"""The most steps from a rank's first flip until it is named."""

_OF: Final = ("gradient", "activation", "parameters", "optimizer")


class _Flip(msgspec.Struct):
    of: str


def corruption_named(history: History) -> Verdict:
    """Each rank whose bits were flipped is named within 40 steps, no other rank is, and all steps after that are right.

    A step is right if its parameters are, bit for bit, those of an undisturbed training. Steps that were done wrongly after
    the first flip and before the naming are allowed if they were done again. A flip of an activation may change nothing: if
    all steps are right, no rank has to be named for it. If gradients were flipped, the training must not have taken back too
    little, such as all steps after a wrong one: it may have been done again only because there was no checkpoint in between.
    Unknown if no bit was flipped, if the record ends too early, or without a control. `corruption_named_within` takes another
    limit.
    """
    return _judged(history, LIMIT_STEPS)


def corruption_named_within(steps: int) -> Checker:
    """The same check with another limit: in how many steps audits find out a rank depends on how many members there are."""
    if steps < 1:
        raise UsageError(f"corruption_named_within({steps!r}): a number of steps, at least 1.")

    def corruption_named(history: History) -> Verdict:
        return _judged(history, steps)

    corruption_named.__doc__ = f"Each rank whose bits were flipped is named within {count(steps, 'step')}, and no other is."
    return corruption_named


def _judged(history: History, limit: int) -> Verdict:
    steps, expected = done(history), control(history)
    try:
        flips, named, taken_back = _flips(history), _named(history), _taken_back(history)
    except BrokenEvent as error:
        return Verdict(valid=None, why=str(error))
    if flips.empty:
        return Verdict(valid=None, why="no rank's bits were flipped")
    if steps.empty or not set(steps["step"]) <= set(expected.index):
        return Verdict(valid=None, why="there is no control for each step that was done")
    first = flips.groupby("node")["at_ns"].min()
    for node, at_ns in zip(named["node"], named["at_ns"], strict=True):
        if node not in first.index or first[node] > at_ns:
            return Verdict(
                valid=False, why=f"{node} was named at {at_ns / 1e9:.2f} s, and no bit of it was flipped before that"
            )
    wrong = steps[(steps["parameters"].array != expected["parameters"].loc[steps["step"]].array).fillna(True)]
    early = wrong[wrong["done_ns"] < int(first.min())]
    if not early.empty:
        return Verdict(
            valid=False, why=f"step {early.iloc[0]['step']} was wrong before any bit was flipped ({at(early.iloc[0])})"
        )
    found, last_ns = [], 0
    for node, flipped_ns in first.items():
        when = named["at_ns"][named["node"] == node]
        since = steps[steps["done_ns"] > flipped_ns]
        if when.empty:
            return _unnamed(str(node), flips[flips["node"] == node], since, wrong, limit)
        found_ns = int(when.min())
        number = int(since["step"][since["done_ns"] < found_ns].nunique())
        if number > limit:
            why = f"{node} was named {count(number, 'step')} after its first flip, not within {limit}"
            return Verdict(valid=False, why=why)
        found.append(f"{node} {(found_ns - flipped_ns) / 1e9:.2f} s and {count(number, 'step')} after its first flip")
        last_ns = max(last_ns, found_ns)
    if set(flips["of"]) == {"gradient"} and (trusted := _trusted(wrong, taken_back)) is not None:
        return Verdict(valid=False, why=trusted)
    return _right_again(steps, wrong, last_ns, f"named: {listed(found)}")


def _unnamed(node: str, flips: pd.DataFrame, since: pd.DataFrame, wrong: pd.DataFrame, limit: int) -> Verdict:
    if set(flips["of"]) == {"activation"} and wrong.empty:
        return Verdict(valid=None, why=f"activations of {node} were flipped, with no effect on any step")
    number = int(since["step"].nunique())
    if number <= limit:
        return Verdict(
            valid=None, why=f"{node} was not named {count(number, 'step')} after its first flip, when the record ends"
        )
    return Verdict(valid=False, why=f"{node} was never named, in {count(number, 'step')} after its first flip")


def _right_again(steps: pd.DataFrame, wrong: pd.DataFrame, named_ns: int, told: str) -> Verdict:
    """After the last naming: what was begun since, and as many wrong steps as were done before it were done again."""
    later = steps[steps["begun_ns"] > named_ns]
    if later.empty:
        return Verdict(valid=None, why=f"{told}; no step was done since")
    amiss = wrong[wrong["begun_ns"] > named_ns]
    if not amiss.empty:
        row = amiss.sort_values("done_ns").iloc[0]
        return Verdict(valid=False, why=f"{told}; after that step {row['step']} is wrong ({at(row)})")
    bad = set(wrong["step"])
    if left := bad - set(later["step"]):
        return Verdict(valid=False, why=f"{told}; step {min(left)} was wrong, and was never done again")
    redone = f", {count(len(bad), 'wrong step')} done again" if bad else ", no wrong step was done"
    return Verdict(valid=True, why=f"{told}{redone}; right in each of {count(later['step'].nunique(), 'step')} since")


def _trusted(wrong: pd.DataFrame, taken_back: pd.DataFrame) -> str | None:
    """Which wrong step was not among those that were taken back, if there is one; None if it is not known what was."""
    for _, row in wrong.iterrows():
        later = taken_back[taken_back["generation"] >= row["generation"]]
        if len(later) and int(later["step"].min()) > row["step"]:
            return (
                f"step {row['step']} was wrong ({at(row)}), and only what came after {later['step'].min()} steps was taken back"
            )
    return None


def _taken_back(history: History) -> pd.DataFrame:
    """What was taken back: the states after more steps than `step`, of this `generation` and all before it."""
    found = [(taken.event.generation, taken.event.step) for taken in training_events.told(history, TakenBack)]
    found += [(still.event.generation, still.event.step) for still in training_events.told(history, NotWithdrawn)]
    return pd.DataFrame(found, columns=["generation", "step"])


def _flips(history: History) -> pd.DataFrame:
    """Flips that the system has to find out: `node`, `at_ns`, `of`."""
    flips = told(history, {FLIPPED: _Flip})
    found = [(flip.node, flip.at_ns, flip.event.of) for flip in flips if flip.event.of in _OF]
    return pd.DataFrame(found, columns=["node", "at_ns", "of"])


def _named(history: History) -> pd.DataFrame:
    """Who was named, and when: `node`, `at_ns`."""
    found = [(named.event.rank, named.at_ns) for named in training_events.told(history, Named)]
    return pd.DataFrame(found, columns=["node", "at_ns"])


def applies(history: History) -> bool:
    """Whether something was trained, and bits were flipped that a training has to find out."""
    try:
        return trains(history) and not _flips(history).empty
    except BrokenEvent:
        return True  # the checker says what is amiss
