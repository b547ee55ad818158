"""Check that each answer is wholly one version's, and that no replica switches back and forth between versions."""

from __future__ import annotations

from typing import Final

import pandas as pd

from harness.checkers._predictions import comes_by_version, is_right, version_of
from harness.checkers._versions import contradiction
from harness.checkers._wording import count, listed
from harness.model.history import History
from harness.model.verdict import Verdict

KINDS: Final = ("predict",)

MOST_OPS: Final = 10


def one_version_each(history: History) -> Verdict:
    """Every answer is what the version that it names gives, and a replica changes its version at most twice: there and back.

    An answer was made at some moment between the sending and the answer of its call. A replica is wrong if no two changes
    explain all its answers, whatever those moments were (`harness.checkers._versions`). O(n) for n answers.

    `value` is `{"label": 7, "score": 0.998, "model": "1a2b3c4d"}`; `expected` has the right answer by the version's name:
    `{"1a2b3c4d": {"label": 7, "score": 0.998}, …}`. Unknown if nothing was answered, if the right answers are not given by
    version, or if answers of several versions do not say which node gave them.
    """
    ops = history.ops[(history.ops["kind"] == "predict") & (history.ops["outcome"] == "ok")]
    if ops.empty:
        return Verdict(valid=None, why="no prediction was answered")
    known = ops["expected"].map(comes_by_version).to_numpy(dtype=bool)
    compared = ops[known]
    rows = zip(compared.index, compared["value"], compared["expected"], strict=True)
    wrong = [int(row) for row, value, expected in rows if not is_right(value, expected)]
    if wrong:
        first = ops.loc[wrong[0]]
        return Verdict(
            valid=False,
            why=f"{len(wrong):,} of {count(len(ops), 'answer')} are no version's: op {wrong[0]} got {first['value']}, and"
            f" right is {first['expected']}",
            ops=tuple(wrong[:MOST_OPS]),
        )
    models = ops["value"].map(version_of)
    for node, answers in ops[(ops["node"].fillna("") != "") & models.notna()].groupby("node"):
        numbers, versions = pd.factorize(models[answers.index])
        found = contradiction(numbers, answers["sent_ns"].to_numpy(), answers["done_ns"].to_numpy())
        if found is not None:
            why = f"{node} changed its version more than twice, between {listed(list(versions))}"
            return Verdict(valid=False, why=why, ops=tuple(int(answers.index[at]) for at in found[:MOST_OPS]))
    if not known.all():
        return Verdict(valid=None, why="the right answers do not come by version")
    unnamed = int((ops["node"].fillna("") == "").sum())
    if unnamed and models.nunique() > 1:
        return Verdict(valid=None, why=f"{count(unnamed, 'answer')} without a node's name, and versions differ")
    parts = ", ".join(f"{number:,} of {model}" for model, number in models.value_counts(sort=False).items())
    return Verdict(valid=True, why=f"each of {count(len(ops), 'answer')} is one version's: {parts}")


def applies(history: History) -> bool:
    """Whether the right answers are given by version."""
    predictions = history.ops[history.ops["kind"] == "predict"]
    return any(comes_by_version(text) for text in predictions["expected"].unique())


def compares(ops: pd.DataFrame) -> pd.Series[bool]:
    """The calls whose right answers came by version."""
    return ops["kind"].isin(KINDS) & ops["expected"].map(comes_by_version).astype(bool)
