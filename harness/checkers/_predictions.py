"""Compare predictions with those that the model gave beforehand, for several checkers."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

TOLERANCE: Final = 1e-3
"""Scores this close count as equal: arithmetic on a batch sums in another order than on a single image."""

Rows = npt.NDArray[np.int64]


class _Prediction(msgspec.Struct):
    label: int
    score: float


def judged(ops: pd.DataFrame) -> tuple[Rows, Rows, Rows]:
    """The rows of answered predictions, of wrong ones, and of those without an expected answer to compare with."""
    answered = np.flatnonzero(((ops["kind"] == "predict") & (ops["outcome"] == "ok")).to_numpy(dtype=bool))
    if not len(answered):
        return answered, answered, answered
    right, known = _compared(ops["value"].iloc[answered], ops["expected"].iloc[answered])
    return answered, answered[known & ~right], answered[~known]


def _compared(values: pd.Series[str], expected: pd.Series[str]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Masks of the right answers and of those that can be judged at all. Each distinct pair of texts is decoded once."""
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
