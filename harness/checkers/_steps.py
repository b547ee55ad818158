"""The steps of a training: shared parts of its checkers."""

from __future__ import annotations

import pandas as pd

from harness.model.history import CONTROL, History


def done(history: History) -> pd.DataFrame:
    """The steps that ranks have completed."""
    steps = history.steps
    return steps[(steps["node"] != CONTROL) & steps["done_ns"].notna()]


def control(history: History) -> pd.DataFrame:
    """The steps of the undisturbed training, by step number."""
    return history.steps[history.steps["node"] == CONTROL].set_index("step")


def undisturbed(history: History, steps: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """For each of these steps, the control's parameters after it, and whether the control has this step."""
    theirs = history.steps[history.steps["node"] == CONTROL]
    on = ["generation", "step"] if (theirs["generation"] > 0).any() else ["step"]
    found = steps[on].merge(theirs[[*on, "parameters"]], on=on, how="left", indicator=True, validate="many_to_one")
    found.index = steps.index
    return found["parameters"], found["_merge"] == "both"


def stand(history: History, steps: pd.DataFrame) -> pd.Series:
    """A mask of the steps that stand, from which the training went on: those of the last group that did them.

    If each generation has its own control, the control says which of them stand.
    """
    theirs = history.steps[history.steps["node"] == CONTROL]
    if (theirs["generation"] > 0).any():
        kept = theirs[theirs["samples"].notna() & (theirs["generation"] > 0)]
        final = kept.set_index("step")["generation"]
    else:
        final = done(history).groupby("step")["generation"].max()
    return (steps["step"].map(final) == steps["generation"]).fillna(False).astype(bool)


def masters_and_workers(history: History) -> tuple[set[str], set[str]]:
    """The nodes that contribute samples to steps, and those that never do, if there are both."""
    steps = history.steps[history.steps["node"] != CONTROL]
    contributed = (steps["samples"].fillna("").str.strip() != "").to_numpy(dtype=bool)
    masters = set(steps["node"][contributed])
    return masters, set(steps["node"]) - masters


def has_master(history: History) -> bool:
    """Whether masters have done steps with workers."""
    return trains(history) and bool(masters_and_workers(history)[1])


def trains(history: History) -> bool:
    """Whether anything was trained."""
    return not history.steps.empty


def at(row: pd.Series) -> str:
    """The place and time of a step: "rank1 at 2.31 s, generation 4"."""
    return f"{row['node']} at {row['done_ns'] / 1e9:.2f} s, generation {row['generation']}"
