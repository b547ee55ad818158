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
    part = ops.iloc[rows]
    kinds, kind = _kinds(part, model)
    try:
        known = np.array([call.answered for call in kinds], dtype=bool)
        counts = (known | ~observing(model, kinds))[kind]
        rows, kind = rows[counts], kind[counts]
        sent_ns, done_ns = part["sent_ns"].to_numpy()[counts], part["done_ns"].to_numpy()[counts]
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


def _kinds(part: pd.DataFrame, model: Model) -> tuple[list[Call], Numbers]:
    """The calls that the model can tell apart, and which of them each row is."""
    alike = getattr(model, "clients_alike", False)
    answered = (part["outcome"] == "ok").to_numpy(dtype=bool)
    codes = [pd.factorize(part[column])[0] for column in ("kind", "value")] + [answered]
    if not alike:
        codes.append(part["client"].to_numpy())
    _, first, number = np.unique(np.column_stack(codes), axis=0, return_index=True, return_inverse=True)
    examples = part.iloc[first]
    columns = (examples[column].tolist() for column in ("client", "kind", "value"))
    kinds = [
        Call(
            client=0 if alike else int(client),
            kind=str(kind),
            value=value if isinstance(value, str) else None,
            answered=known,
        )
        for client, kind, value, known in zip(*columns, answered[first].tolist(), strict=True)
    ]
    return kinds, number.reshape(-1).astype(np.int32)


def _sentence(ops: pd.DataFrame, key: str, rows: Sequence[int]) -> str:
    *others, last = [_call(ops, row) for row in rows]
    if not others:
        return f"key {key}: nothing that was called explains {last}"
    few = "all that was answered before" if len(rows) > _MOST_TOLD else listed(others)
    return f"key {key}: no order explains {last} together with {few}"


def _call(ops: pd.DataFrame, row: int) -> str:
    call = ops.iloc[row]
    of = "" if call["kind"] in ("delete", "acquire", "release") else f" of {quoted(call['value'])}"
    return f"client {call['client']}'s {call['kind']}{of} (op {row})"
