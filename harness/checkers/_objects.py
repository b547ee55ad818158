"""Judge objects of any kind, one per key: does some order of the calls explain the answers?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from harness.checkers._registers import Found
from harness.checkers._search.problem import Numbers
from harness.checkers._search.rounds import decide
from harness.checkers._search.smallest import Calls, first_contradiction, observing, smallest
from harness.checkers._wording import listed, quoted
from harness.checkers._zones import Integers
from harness.model.columns import plain
from harness.model.object_model import Call, Model

_MOST_TOLD: Final = 12
"""If a contradiction needs more calls than this, only the last ones are listed."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The search's result for one key: a contradiction, or why it is undecided; neither if there is an order."""

    explored: int
    by_ns: int | None = None
    """The first time at which there is a contradiction."""
    tell: Callable[[], Found] | None = None
    """Finds the fewest calls that show the contradiction, which takes a while."""
    undecided: str | None = None
    malformed: bool = False
    """Whether it is undecided because the model cannot read a value."""


def judge(ops: pd.DataFrame, key: str, rows: Integers, model: Model, most_explored: int) -> Judged:
    """Judge the calls of one key, given as rows of `history.ops` that did not fail, within `most_explored` configurations."""
    kinds, kind = _kinds(ops, rows, model)
    try:
        known = np.array([call.answered for call in kinds], dtype=bool)
        counts = (known | ~observing(model, kinds))[kind]
        rows, kind = rows[counts], kind[counts]
        sent_ns, done_ns = ops["sent_ns"].to_numpy()[rows], ops["done_ns"].to_numpy()[rows]
        calls = Calls(kinds=kinds, kind=kind, sent_ns=sent_ns, done_ns=done_ns)
        problem = calls.problem(model)
        decision = decide(problem, most_explored)
        if decision.has_order:
            return Judged(explored=decision.explored)
        if decision.has_order is None:
            told = f"{decision.explained:,} of {len(problem.stages):,} calls explained when {decision.explored:,} were tried"
            return Judged(explored=decision.explored, undecided=f"key {key} (ways to order its calls: {told})")
        last = first_contradiction(calls, model, problem, decision.explained)
    except ValueError as error:
        return Judged(explored=0, undecided=f"key {key} ({error})", malformed=True)

    def tell() -> Found:
        few = smallest(calls, model, last)
        told = tuple(sorted(rows[few[-_MOST_TOLD:]].tolist()))
        return Found(int(done_ns[last]), _sentence(ops, key, rows[few].tolist()), told)

    return Judged(explored=decision.explored, by_ns=int(done_ns[last]), tell=tell)


def _kinds(ops: pd.DataFrame, rows: Integers, model: Model) -> tuple[list[Call], Numbers]:
    """The calls that the model can tell apart, and which of them each of these rows is."""
    kind, kinds = pd.factorize(ops["kind"].array[rows])
    value, values = pd.factorize(ops["value"].array[rows])  # null becomes -1
    answered = (ops["outcome"].array[rows] == "ok").astype(bool)
    client = np.zeros(len(rows)) if getattr(model, "clients_alike", False) else ops["client"].to_numpy()[rows]
    calls = np.column_stack([kind, value, answered, client]).astype(np.int64)
    distinct, number = np.unique(calls, axis=0, return_inverse=True)
    names, texts = plain(kinds), [*plain(values), None]
    found = [
        Call(client=client, kind=names[kind], value=texts[value], answered=bool(answered))
        for kind, value, answered, client in distinct.tolist()
    ]
    return found, number.reshape(-1).astype(np.int32)


def _sentence(ops: pd.DataFrame, key: str, rows: Sequence[int]) -> str:
    *others, last = [_call(ops, row) for row in rows]
    if not others:
        return f"key {quoted(key)}: nothing that was called explains {last}"
    few = "all that was answered before" if len(rows) > _MOST_TOLD else listed(others)
    return f"key {quoted(key)}: no order explains {last} together with {few}"


def _call(ops: pd.DataFrame, row: int) -> str:
    call = ops.iloc[row]
    of = "" if call["kind"] in ("delete", "acquire", "release") else f" of {quoted(call['value'])}"
    return f"client {call['client']}'s {call['kind']}{of} (op {row})"
