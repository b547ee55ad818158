"""Check that predictions are what the model really computes."""

from __future__ import annotations

from typing import Final

import pandas as pd

from harness.checkers._predictions import Rows, judged, told
from harness.checkers._wording import count, listed
from harness.model.history import History
from harness.model.verdict import Verdict

KINDS: Final = ("predict",)

compares = told

MOST_OPS: Final = 10
"""How many wrong answers a verdict shows."""


def predictions_correct(history: History) -> Verdict:
    """Every answered prediction has the label and, within 0.001, the score that the model gave beforehand.

    Both `value` and `expected` are JSON texts such as `{"label": 7, "score": 0.9981}`. An answer that cannot be parsed as
    one is wrong. An operation whose `expected` is null or cannot be parsed cannot be judged. If the model has versions,
    `expected` has the right answer of each, as for `one_version_each`, and the answer says in `model` which one it is from.
    """
    ops = history.ops
    answered, wrong, unjudged = judged(ops)
    if not len(answered):
        return Verdict(valid=None, why="no prediction was answered")
    if len(wrong):
        why = _sentence(ops, wrong, len(answered) - len(unjudged))
        return Verdict(valid=False, why=why, ops=tuple(map(int, wrong[:MOST_OPS])))
    if len(unjudged):
        return Verdict(
            valid=None,
            why=f"{len(unjudged):,} of {count(len(answered), 'answered prediction')} came without a right answer to"
            " compare with",
            ops=tuple(map(int, unjudged[:MOST_OPS])),
        )
    return Verdict(valid=True, why=f"all {count(len(answered), 'answered prediction')} match the model's own answers")


def _sentence(ops: pd.DataFrame, wrong: Rows, compared: int) -> str:
    rows = ops.iloc[wrong]
    by_node = rows["node"].fillna("").value_counts()
    nodes = listed([f"{str(node) or 'an unnamed node'} ({number:,})" for node, number in by_node.items()])
    since_s = int(rows["done_ns"].min()) / 1e9
    first = rows.iloc[0]
    return (
        f"{len(wrong):,} of {count(compared, 'answered prediction')} wrong, from {nodes}, since {since_s:.3f} s:"
        f" op {wrong[0]} asked about {first['key']} and got {first['value']} instead of {first['expected']}"
    )


def applies(history: History) -> bool:
    """Whether predictions were asked for."""
    return bool((history.ops["kind"] == "predict").any())
