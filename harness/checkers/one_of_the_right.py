"""Check that each answer is one of the right ones, and the best one again at the end."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec
import pandas as pd

from harness.checkers._starvation import starved
from harness.checkers._wording import count
from harness.model.canonical import answer_text, canonical
from harness.model.history import History
from harness.model.verdict import Verdict

MOST_OPS: Final = 10


def one_of_the_right(history: History) -> Verdict:
    """Every answer is one of the right ones, and every final call, made after everything was healed, was answered.

    `expected` is a JSON array of right answers, the best one first; the others are what a system may fall back on. Answers
    are compared as JSON values: 1.0 is 1, and is not true; a missing value is null. The verdict says how many were the best.
    Unknown if nothing was answered, if calls of the same kind have no right answers to compare with, or if final calls were
    not answered while the machine starved the run's processes.
    """
    told = judges(history.ops)
    ops = history.ops[told]
    answered = ops[ops["outcome"] == "ok"]
    if answered.empty:
        return Verdict(valid=None, why="no call with several right answers was answered")
    ranks = [_rank(value, expected) for value, expected in zip(answered["value"], answered["expected"], strict=True)]
    wrong = [int(row) for row, rank in zip(answered.index, ranks, strict=True) if rank is None]
    if wrong:
        first = ops.loc[wrong[0]]
        return Verdict(
            valid=False,
            why=f"{len(wrong):,} of {count(len(answered), 'answer')} are none of the right ones: op {wrong[0]} asked about"
            f" {first['key']} and got {first['value']}; right is one of {first['expected']}",
            ops=tuple(wrong[:MOST_OPS]),
        )
    final = ops[ops["phase"] == "final"]
    missed = final[~final["key"].isin(answered["key"][answered["phase"] == "final"])]  # a final call is repeated until answered
    if not missed.empty:
        last = missed.groupby("key", sort=False).tail(1)
        first = last.iloc[0]
        hungry = starved(history, int(final["sent_ns"].min()), int(final["done_ns"].max()))
        return Verdict(
            valid=None if hungry else False,
            why=f"{count(len(last), 'final call')} not answered although all was healed: {first['key']}: {first['error']}"
            + (f"; but {hungry}" if hungry else ""),
            ops=tuple(map(int, last.index[:MOST_OPS])),
        )
    others = history.ops[~told & history.ops["kind"].isin(ops["kind"].unique()) & (history.ops["outcome"] == "ok")]
    if not others.empty:
        return Verdict(
            valid=None,
            why=f"{count(len(others), 'answered call')} came without right answers to compare with",
            ops=tuple(map(int, others.index[:MOST_OPS])),
        )
    best = sum(rank == 0 for rank in ranks)
    return Verdict(
        valid=True,
        why=f"each of {count(len(answered), 'answer')} is right: {best:,} the best, {len(ranks) - best:,} fallen back",
    )


def applies(history: History) -> bool:
    """Whether several answers were right."""
    return any(len(_right(text)) > 1 for text in history.ops["expected"].unique())


def judges(ops: pd.DataFrame) -> pd.Series[bool]:
    """The calls whose right answers came as a list."""
    return pd.Series([bool(_right(text)) for text in ops["expected"]], index=ops.index, dtype=bool)


compares = judges


def _rank(value: object, expected: object) -> int | None:
    answer, right = answer_text(value), _right(expected)
    return right.index(answer) if answer in right else None


@lru_cache(maxsize=100_000)
def _right(text: object) -> tuple[str, ...]:
    """The right answers, each as canonical JSON."""
    try:
        return tuple(map(canonical, msgspec.json.decode(text, type=list[object]))) if isinstance(text, str) else ()
    except (msgspec.DecodeError, RecursionError):
        return ()
