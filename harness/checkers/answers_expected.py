"""Check that calls whose right answer was known beforehand got it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, cast

import msgspec
import pandas as pd

from harness.checkers._predictions import is_right
from harness.checkers._wording import count, quoted
from harness.model.canonical import answer_text, canonical
from harness.model.history import History
from harness.model.verdict import Checker, Verdict, stated_beside

MOST_OPS: Final = 10


def answers_expected(history: History) -> Verdict:
    """Every answered call that has an `expected` answer got it, for any kind of call.

    Answers are compared as texts or, if both are JSON, as JSON values: 1.0 is 1, and a missing value is null. If `expected`
    is a JSON array, one of its elements is right as well; if it is a prediction, or one for each version of a model, so is
    what `predictions_correct` takes for right. Those checks, and `one_of_the_right`, ask for more. If its workload says which
    answers are right, a drill is judged by this check even if it does not name it, except for the calls whose answers a check
    of the drill compares itself: `compares(ops)` in that check's module says which these are. Unknown if no such call was
    answered.
    """
    return _compared(history, judges(history.ops))


def answers_expected_beside(others: Sequence[Checker]) -> Checker:
    """`answers_expected` for the calls whose answers none of the other checks compares."""

    def answers_expected(history: History) -> Verdict:
        return _compared(history, left_by(others, history.ops))

    return answers_expected


def left_by(others: Sequence[Checker], ops: pd.DataFrame) -> pd.Series[bool]:
    """The calls that have an expected answer with which none of these checks compares theirs."""
    left = judges(ops)
    for other in others if left.any() else ():
        left &= ~_rows_compared_by(other, ops)
    return left


def applies_beside(others: Sequence[Checker], history: History) -> bool:
    """Whether these checks leave answers to compare. If one of them cannot tell, so that `answers_expected` says why."""
    try:
        return bool(left_by(others, history.ops).any())
    except Exception:  # `compares` may be user code; it raises the same again when the history is judged
        return True


def _rows_compared_by(checker: Checker, ops: pd.DataFrame) -> pd.Series[bool]:
    """What `compares(ops)` beside a checker says."""
    compares = cast(Callable[[pd.DataFrame], "pd.Series[bool]"] | None, stated_beside(checker, "compares"))
    return pd.Series(False, index=ops.index) if compares is None else compares(ops)


def _compared(history: History, chosen: pd.Series[bool]) -> Verdict:
    """Compare the answers of these calls with the expected ones."""
    ops = history.ops
    answered = ops[chosen & (ops["outcome"] == "ok").to_numpy(dtype=bool)]
    if answered.empty:
        return Verdict(valid=None, why="no call whose right answer was known was answered")
    differs = (answered["value"] != answered["expected"]).fillna(True).to_numpy(dtype=bool)
    wrong = [
        int(row)
        for row, value, expected in zip(
            answered.index[differs], answered["value"][differs], answered["expected"][differs], strict=True
        )
        if not _is_right(value, expected)
    ]
    if not wrong:
        return Verdict(valid=True, why=f"each of {count(len(answered), 'answer')} is the expected one")
    first = ops.loc[wrong[0]]
    return Verdict(
        valid=False,
        why=f"{len(wrong):,} of {count(len(answered), 'answer')} are not the expected ones: op {wrong[0]} asked about"
        f" {first['key']} and got {quoted(first['value'])} instead of {first['expected']}",
        ops=tuple(wrong[:MOST_OPS]),
    )


def judges(ops: pd.DataFrame) -> pd.Series[bool]:
    """The calls that have an expected answer."""
    return ops["expected"].notna()


compares = judges


def _is_right(value: object, expected: str) -> bool:
    found = answer_text(value)
    if found is not None and found == answer_text(expected):
        return True
    return value in (elements := _elements(expected)) or found in elements or is_right(value, expected)


@lru_cache(maxsize=100_000)
def _elements(text: str) -> frozenset[str]:
    """The elements of a JSON array as canonical JSON, texts also as they are; none if it is no array."""
    try:
        found = msgspec.json.decode(text, type=list[object])
    except (msgspec.DecodeError, RecursionError):
        return frozenset()
    return frozenset(map(canonical, found)) | {one for one in found if isinstance(one, str)}
