"""Compare predictions with those that the model gave beforehand, for several checkers."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

TOLERANCE: Final = 1e-3
"""Scores this close count as equal: arithmetic on a batch sums in another order than on a single image."""

Rows = npt.NDArray[np.int64]
T = TypeVar("T")


class _Prediction(msgspec.Struct):
    label: int
    score: float
    model: object = None
    """The version that gave it, if the answer says so."""


_ByVersion = dict[str, _Prediction]
_Right = _Prediction | _ByVersion
"""The right answer; if there are several versions, that of each."""


def version_of(answer: object) -> str | None:
    """The version that an answer names; None if it is not a prediction or names none."""
    prediction = _answer(answer)
    return prediction.model if prediction is not None and isinstance(prediction.model, str) else None


def comes_by_version(expected: object) -> bool:
    """Whether the right answer is given for each version."""
    return isinstance(_right(expected), dict)


def is_known(expected: object) -> bool:
    """Whether the text is a right answer that predictions can be compared with."""
    return _right(expected) is not None


def told(ops: pd.DataFrame) -> pd.Series[bool]:
    """The predictions whose right answer is known."""
    return (ops["kind"] == "predict") & ops["expected"].map(is_known).astype(bool)


def is_right(answer: object, expected: object) -> bool:
    """Whether an answer is the right one, if there are versions that of the version that it names; both as texts."""
    return _same(_answer(answer), _right(expected))


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
    answers, rights = [_answer(text) for text in value_texts], [_right(text) for text in expected_texts]
    pairs, pair_of = np.unique(value_codes * np.int64(len(rights)) + expected_codes, return_inverse=True)
    right = np.array([_same(answers[pair // len(rights)], rights[pair % len(rights)]) for pair in pairs], dtype=bool)
    judged = np.array([one is not None for one in rights], dtype=bool)
    return right[pair_of], judged[expected_codes]


@lru_cache(maxsize=100_000)
def _answer(text: object) -> _Prediction | None:
    return _decoded(text, _Prediction)


@lru_cache(maxsize=100_000)
def _right(text: object) -> _Right | None:
    return _decoded(text, _Prediction) or _decoded(text, _ByVersion) or None


def _decoded(text: object, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(text, type=kind) if isinstance(text, str) else None
    except (msgspec.DecodeError, RecursionError):
        return None


def _same(answer: _Prediction | None, right: _Right | None) -> bool:
    if isinstance(right, dict):
        right = right.get(answer.model) if answer is not None and isinstance(answer.model, str) else None
    return (
        answer is not None
        and right is not None
        and answer.label == right.label
        and abs(answer.score - right.score) <= TOLERANCE
    )
