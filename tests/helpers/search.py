"""Linearizability of one register by trying every order: slow, and as plain as the definition.

J. Wing and C. Gong, "Testing and Verifying Concurrent Objects", JPDC 17, 1993; with the memory of states already seen of
G. Lowe, "Testing for Linearizability", 2017. It knows nothing of unique values, clusters or zones.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Op:
    """One call: kind "read" or "write", value (None: null), sent and done, outcome."""

    kind: str
    value: str | None
    sent: float
    done: float
    outcome: str


def has_order(ops: list[Op]) -> bool:
    """Whether some order of the calls, each at a moment within its time, explains what every answered read found."""
    counted = [op for op in ops if op.outcome == "ok" or (op.kind == "write" and op.outcome == "unknown")]
    answered = frozenset(number for number, op in enumerate(counted) if op.outcome == "ok")
    seen: set[tuple[frozenset[int], str | None]] = set()

    def explain(left: frozenset[int], holds: str | None) -> bool:
        if not left & answered:
            return True
        if (left, holds) in seen:
            return False
        seen.add((left, holds))
        for number in left:
            op = counted[number]
            if any(counted[other].done < op.sent for other in left & answered):
                continue
            if op.kind == "read" and op.value != holds:
                continue
            if explain(left - {number}, op.value):
                return True
        return False

    return explain(frozenset(range(len(counted))), None)


def until(ops: list[Op], moment: float, *, inclusive: bool) -> list[Op]:
    """What was known at a moment (or just before it): later answers have not come, later calls not been sent."""
    known = []
    for op in ops:
        if op.done < moment or (inclusive and op.done == moment):
            known.append(op)
        elif op.sent <= moment:
            known.append(Op(op.kind, op.value, op.sent, op.done, "failed" if op.outcome == "failed" else "unknown"))
    return known
