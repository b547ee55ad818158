"""Check that calls whose right answer was known beforehand got it."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec
import pandas as pd

from harness.checkers._predictions import is_known
from harness.checkers._wording import count
from harness.model.canonical import canonical
from harness.model.history import History
from harness.model.verdict import Verdict

MOST_OPS: Final = 10


def answers_expected(history: History) -> Verdict:
    """Every answered call that has an `expected` answer got it, for any kind of call.

    Answers are compared as texts or, if both are JSON, as JSON values: 1.0 is 1. Right answers in two forms are for checks
    of their own: predictions with a label and a score for `predictions_correct`, JSON arrays of several right answers for
    `one_of_the_right`. A drill that has no checks is judged by this one if its workload says which answers are right.
    Unknown if no such call was answered.
    """
    ops = history.ops
    answered = ops[judges(ops) & (ops["outcome"] == "ok").to_numpy(dtype=bool)]
    if answered.empty:
        return Verdict(valid=None, why="no call whose right answer was known was answered")
    differs = (answered["value"] != answered["expected"]).fillna(True).to_numpy(dtype=bool)
    wrong = [
        int(row)
        for row, value, expected in zip(
            answered.index[differs], answered["value"][differs], answered["expected"][differs], strict=True
        )
        if not _same(value, expected)
    ]
    if not wrong:
        return Verdict(valid=True, why=f"each of {count(len(answered), 'answer')} is the expected one")
    first = ops.loc[wrong[0]]
    got = first["value"] if isinstance(first["value"], str) else "nothing"
    return Verdict(
        valid=False,
        why=f"{len(wrong):,} of {count(len(answered), 'answer')} are not the expected ones: op {wrong[0]} asked about"
        f" {first['key']} and got {got} instead of {first['expected']}",
        ops=tuple(wrong[:MOST_OPS]),
    )


def applies(history: History) -> bool:
    """Whether the right answer to a call was known."""
    return bool(judges(history.ops).any())


def judges(ops: pd.DataFrame) -> pd.Series[bool]:
    """The calls that have an expected answer that no check of its own form judges."""
    own = {text: _is_plain(text) for text in ops["expected"].dropna().unique()}
    return pd.Series([own.get(text, False) for text in ops["expected"]], index=ops.index, dtype=bool)


def _is_plain(expected: str) -> bool:
    try:
        several = isinstance(msgspec.json.decode(expected), list)
    except (msgspec.DecodeError, RecursionError):
        return True
    return not (several or is_known(expected))


def _same(value: object, expected: object) -> bool:
    found = _json(value)
    return found is not None and found == _json(expected)


@lru_cache(maxsize=100_000)
def _json(text: object) -> str | None:
    """A text as canonical JSON; None if it is none."""
    try:
        return canonical(msgspec.json.decode(text)) if isinstance(text, str) else None
    except (msgspec.DecodeError, RecursionError):
        return None
