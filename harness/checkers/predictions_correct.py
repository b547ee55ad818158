"""Whether a model's answers are the ones the model gives."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from harness.checkers._wording import count, listed
from harness.drill import Verdict
from harness.history import History

TOLERANCE: Final = 1e-3
"""Scores this close are the same answer: arithmetic on a batch sums in another order than on a single image."""

MOST_OPS: Final = 10
"""How many wrong answers a verdict shows."""


class _Prediction(msgspec.Struct):
    label: int
    score: float


def predictions_correct(history: History) -> Verdict:
    """Every answered prediction has the label and, within 0.001, the score that the model gave beforehand.

    Both `value` and `expected` are JSON texts such as `{"label": 7, "score": 0.9981}`. An answer that does not read as
    one is wrong. An operation whose `expected` is null or does not read cannot be judged.
    """
    ops = history.ops
    answered = np.flatnonzero(((ops["kind"] == "predict") & (ops["outcome"] == "ok")).to_numpy(dtype=bool))
    if not len(answered):
        return Verdict(valid=None, why="no prediction was answered")
    right, judged = _compared(ops["value"].iloc[answered], ops["expected"].iloc[answered])
    wrong = answered[judged & ~right]
    if len(wrong):
        return Verdict(valid=False, why=_sentence(ops, wrong, int(judged.sum())), ops=tuple(map(int, wrong[:MOST_OPS])))
    if not judged.all():
        unjudged = answered[~judged]
        return Verdict(
            valid=None,
            why=f"{len(unjudged):,} of {count(len(answered), 'answered prediction')} came without a right answer to"
            " compare with",
            ops=tuple(map(int, unjudged[:MOST_OPS])),
        )
    return Verdict(valid=True, why=f"all {count(len(answered), 'answered prediction')} match the model's own answers")


def _compared(values: pd.Series[str], expected: pd.Series[str]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which answers are right and which can be judged at all. Each distinct pair of texts is decoded once."""
    value_codes, value_texts = pd.factorize(values, use_na_sentinel=False)
    expected_codes, expected_texts = pd.factorize(expected, use_na_sentinel=False)
    answers, models = [_decoded(text) for text in value_texts], [_decoded(text) for text in expected_texts]
    pairs, pair_of = np.unique(value_codes * np.int64(len(models)) + expected_codes, return_inverse=True)
    right = np.array([_same(answers[pair // len(models)], models[pair % len(models)]) for pair in pairs], dtype=bool)
    judged = np.array([model is not None for model in models], dtype=bool)
    return right[pair_of], judged[expected_codes]


def _decoded(text: object) -> _Prediction | None:
    if not isinstance(text, str):
        return None
    try:
        return msgspec.json.decode(text, type=_Prediction)
    except msgspec.DecodeError:
        return None


def _same(answer: _Prediction | None, model: _Prediction | None) -> bool:
    return (
        answer is not None
        and model is not None
        and answer.label == model.label
        and abs(answer.score - model.score) <= TOLERANCE
    )


def _sentence(ops: pd.DataFrame, wrong: npt.NDArray[np.int64], judged: int) -> str:
    rows = ops.iloc[wrong]
    by_node = rows["node"].fillna("").value_counts()
    nodes = listed([f"{str(node) or 'an unnamed node'} ({number:,})" for node, number in by_node.items()])
    since_s = int(rows["done_ns"].min()) / 1e9
    first = rows.iloc[0]
    return (
        f"{len(wrong):,} of {count(judged, 'answered prediction')} wrong, from {nodes}, since {since_s:.3f} s:"
        f" op {wrong[0]} asked about {first['key']} and got {first['value']} instead of {first['expected']}"
    )


def applies(history: History) -> bool:
    """Where predictions were asked for."""
    return bool((history.ops["kind"] == "predict").any())
