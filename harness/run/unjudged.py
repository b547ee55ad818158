"""What of a history no check has judged: a history is well only if somebody has looked at what was answered."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from typing import Final

import numpy as np

from harness.checkers._wording import count, listed
from harness.model.history import History
from harness.model.verdict import Checker
from harness.run import catalog
from results.record.result import CheckResult

NAME: Final = "all_judged"
_MOST_CHECKERS: Final = 2


def all_judged(history: History, checkers: Sequence[Checker], kinds: Collection[str] = ()) -> CheckResult:
    """Valid if each call is of a kind that one of these checkers judges; else unknown, as it is if there is no call.

    `kinds` are judged besides.
    """
    ops = history.ops
    if ops.empty:
        return CheckResult(name=NAME, valid=None, why="the history holds no call, so there is nothing to judge")
    judged = ops["kind"].isin(list(kinds)).to_numpy(dtype=bool, copy=True)
    for checker in checkers:
        judged |= catalog.judged_rows(checker, ops).to_numpy(dtype=bool)
    if judged.all():
        return CheckResult(name=NAME, valid=True, why=f"{count(len(ops), 'call')}, each of a kind that a check judges")
    rows = np.flatnonzero(~judged)
    found = ops["kind"].iloc[rows].astype("string").value_counts(sort=False)
    kinds = [f"{str(kind)!r} ({count(int(number), 'call')})" for kind, number in found.items() if number]
    return CheckResult(
        name=NAME,
        valid=None,
        why=f"no check judges {listed(kinds)}. {_advice([str(kind) for kind, number in found.items() if number])}",
        ops=(int(ops.index[rows[0]]),),
    )


def _advice(kinds: Sequence[str]) -> str:
    """What would have them judged: the name that was probably meant, or all that checks know."""
    known = catalog.judged_kinds()
    for kind in kinds:
        if kind in known:
            return f"{_some(known[kind])} would judge {kind!r}, and nothing here lets it."
        meant = kind.strip().lower()
        if meant in known:
            return f"Did you mean {meant!r}? Then say --map {shlex.quote(f'{kind}={meant}')}."
    by_checkers: dict[str, list[str]] = {}
    for kind, names in known.items():
        by_checkers.setdefault(_some(names), []).append(kind)
    told = "; ".join(f"{', '.join(there)} (by {names})" for names, there in by_checkers.items())
    example = shlex.quote(f"{kinds[0]}=read")
    return f"If they are one of these under another name, say so, as in --map {example}: {told}. Else write a check for them."


def _some(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= _MOST_CHECKERS else f"{', '.join(names[:_MOST_CHECKERS])} and others"
