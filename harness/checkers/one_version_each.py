"""Whether each answer is wholly one version's, and no replica goes to and fro between versions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import msgspec

from harness.checkers._wording import count
from harness.model.history import History
from harness.model.verdict import Verdict

KINDS: Final = ("predict",)

TOLERANCE: Final = 1e-3
"""Scores this close are the same answer."""

MOST_CHANGES: Final = 2
"""A replica goes to the new version, and back if that is rolled back; never more."""

MOST_OPS: Final = 10


class _Answer(msgspec.Struct, frozen=True):
    label: int
    score: float
    model: str


class _Prediction(msgspec.Struct, frozen=True):
    label: int
    score: float


def one_version_each(history: History) -> Verdict:
    """Every answer is the one that the version it names gives, and a replica's version changes at most there and back.

    A change counts if it is certain: a call that was sent after an answer of one version had come got the other one. Of
    calls that overlap, it is not known which was answered first.

    `value` is `{"label": 7, "score": 0.998, "model": "1a2b3c4d"}`; `expected` has the right answer by the version's name:
    `{"1a2b3c4d": {"label": 7, "score": 0.998}, …}`. Unknown if nothing was answered or nothing names a version.
    """
    ops = history.ops[(history.ops["kind"] == "predict") & (history.ops["outcome"] == "ok")]
    if ops.empty:
        return Verdict(valid=None, why="no prediction was answered")
    if not ops["expected"].map(lambda text: bool(_expected(text))).all():
        return Verdict(valid=None, why="the right answers do not come by version")
    rows = zip(ops.index, ops["value"], ops["expected"], strict=True)
    wrong = [int(row) for row, value, expected in rows if not _whole(value, expected)]
    if wrong:
        first = ops.loc[wrong[0]]
        return Verdict(
            valid=False,
            why=f"{len(wrong):,} of {count(len(ops), 'answer')} are no version's: op {wrong[0]} got {first['value']}, and"
            f" right is {first['expected']}",
            ops=tuple(wrong[:MOST_OPS]),
        )
    models: dict[str, int] = {}
    for node, answers in ops.sort_values("sent_ns").groupby("node"):
        seen = [answer.model for answer in map(_answer, answers["value"]) if answer is not None]
        changed = _changes(seen, answers["sent_ns"].tolist(), answers["done_ns"].tolist())
        if len(changed) > MOST_CHANGES:
            rows_of = tuple(int(answers.index[at]) for at in changed[:MOST_OPS])
            return Verdict(valid=False, why=f"{node} changed its version {len(changed)} times", ops=rows_of)
        for model in seen:
            models[model] = models.get(model, 0) + 1
    parts = ", ".join(f"{number:,} of {model}" for model, number in models.items())
    return Verdict(valid=True, why=f"each of {count(len(ops), 'answer')} is one version's: {parts}")


def _changes(models: Sequence[str], sent_ns: Sequence[float], done_ns: Sequence[float]) -> list[int]:
    """Which answers, in the order of their sending, certainly came from another version than answers before them."""
    changed: list[int] = []
    model, seen_ns = models[0], done_ns[0]
    for at, (found, sent, done) in enumerate(zip(models, sent_ns, done_ns, strict=True)):
        if found == model:
            seen_ns = min(seen_ns, done)
        elif sent > seen_ns:
            changed.append(at)
            model, seen_ns = found, done
    return changed


def applies(history: History) -> bool:
    """Whether right answers come by version."""
    predictions = history.ops[history.ops["kind"] == "predict"]
    return not predictions.empty and bool(_expected(predictions["expected"].iloc[0]))


def _whole(value: object, expected: object) -> bool:
    answer, right = _answer(value), _expected(expected)
    if answer is None or answer.model not in right:
        return False
    version = right[answer.model]
    return answer.label == version.label and abs(answer.score - version.score) <= TOLERANCE


@lru_cache(maxsize=100_000)
def _answer(text: object) -> _Answer | None:
    try:
        return msgspec.json.decode(text, type=_Answer) if isinstance(text, str) else None
    except msgspec.DecodeError:
        return None


@lru_cache(maxsize=100_000)
def _expected(text: object) -> dict[str, _Prediction]:
    try:
        return msgspec.json.decode(text, type=dict[str, _Prediction]) if isinstance(text, str) else {}
    except msgspec.DecodeError:
        return {}
