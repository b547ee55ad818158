"""The steps of a training, as its checkers look at them."""

from __future__ import annotations

import pandas as pd

from harness.model.history import CONTROL, History


def done(history: History) -> pd.DataFrame:
    """The steps that ranks have done."""
    steps = history.steps
    return steps[(steps["node"] != CONTROL) & steps["done_ns"].notna()]


def control(history: History) -> pd.DataFrame:
    """The steps of the undisturbed training, by their number."""
    return history.steps[history.steps["node"] == CONTROL].set_index("step")


def trains(history: History) -> bool:
    """Whether anything was trained."""
    return not history.steps.empty


def at(row: pd.Series) -> str:
    """Where and when a step was done: "rank1 at 2.31 s, generation 4"."""
    return f"{row['node']} at {row['done_ns'] / 1e9:.2f} s, generation {row['generation']}"
