"""Linearizability of any object by trying every order: slow, and as plain as the definition. See `tests.helpers.search`."""

from __future__ import annotations

from collections.abc import Sequence

from harness.model.object_model import REFUSED, Model, Refused, State
from tests.helpers.random_objects import Op


def has_order(ops: Sequence[Op], model: Model) -> bool:
    """Whether some order of the calls, each at a moment within its time, explains what was answered."""
    counted = [op for op in ops if op.outcome != "failed"]
    answered = frozenset(number for number, op in enumerate(counted) if op.outcome == "ok")
    seen: set[tuple[frozenset[int], State]] = set()

    def explain(left: frozenset[int], state: State) -> bool:
        if not left & answered:
            return True
        if (left, state) in seen:
            return False
        seen.add((left, state))
        for number in left:
            op = counted[number]
            if any(counted[other].done < op.sent for other in left & answered):
                continue
            after: State | Refused = model.step(state, op.call)
            if after is not REFUSED and explain(left - {number}, after):
                return True
        return False

    return explain(frozenset(range(len(counted))), model.initial)
