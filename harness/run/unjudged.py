"""Find the calls of a history that no check has judged: a history is right only if some check has looked at every answer."""

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

_USUAL: Final = {"get": "read", "put": "write", "set": "write", "incr": "increment", "decr": "decrement"}
"""What other systems call these kinds, in lower case."""


def all_judged(history: History, checkers: Sequence[Checker], kinds: Collection[str] = ()) -> CheckResult:
    """Valid if one of these checkers judges each call's kind; else unknown, also if there are no calls.

    Calls of `kinds` count as judged, too.
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
    unjudged = {str(kind): int(number) for kind, number in found.items() if number}
    shown = [f"{kind!r} ({count(number, 'call')})" for kind, number in unjudged.items()]
    return CheckResult(
        name=NAME,
        valid=None,
        why=f"no check judges {listed(shown)}. {_advice(list(unjudged))}",
        ops=(int(ops.index[rows[0]]),),
    )


def _advice(kinds: Sequence[str]) -> str:
    """How to have these kinds judged: the name that was probably meant, or all the kinds that checks know."""
    known = catalog.judged_kinds()
    for kind in kinds:
        if kind in known:
            return f"{_some(known[kind])} can judge {kind!r}, but not in this history."
    lower = {kind: kind.strip().lower() for kind in kinds}
    meant = {kind: name for kind, text in lower.items() if (name := _USUAL.get(text, text)) in known}
    if meant:
        option = shlex.quote(",".join(f"{kind}={name}" for kind, name in meant.items()))
        return f"Did you mean {listed([repr(name) for name in meant.values()])}? Then say --map {option}."
    by_checkers: dict[str, list[str]] = {}
    for kind, names in known.items():
        by_checkers.setdefault(_some(names), []).append(kind)
    told = "; ".join(f"{', '.join(there)} (by {names})" for names, there in by_checkers.items())
    example = shlex.quote(f"{kinds[0]}=KIND")
    return f"If they are one of these under another name, say so, as in --map {example}: {told}. Otherwise write a check."


def _some(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= _MOST_CHECKERS else f"{', '.join(names[:_MOST_CHECKERS])} and others"
