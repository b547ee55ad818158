"""The phenomena that each isolation level forbids, and the verdict on a history of transactions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from harness.checkers._calls import unknown_changes
from harness.checkers._transactions.cycles import gravest_cycle
from harness.checkers._transactions.dependencies import Dependencies, Edge, Kind, dependencies
from harness.checkers._transactions.graph import Integers
from harness.checkers._transactions.observations import Observations, observe
from harness.checkers._transactions.orders import Ordered, order
from harness.checkers._transactions.reading import KIND, NotATransaction
from harness.checkers._wording import count, listed
from harness.model.history import History
from harness.model.verdict import Verdict
from harness.model.vocabulary import READ

_NO_ORDER: Final = ("unwritten", "G1a", "future read", "G1b", "duplicate", "incompatible", "scrambled")
"""The phenomena that even the weakest level forbids, in any order, the gravest first."""
_TOLD: Final = {
    "unwritten": "a value out of nowhere",
    "G1a": "G1a, an aborted read",
    "future read": "a read of what the transaction wrote only later",
    "G1b": "G1b, an intermediate read",
    "duplicate": "an element twice",
    "incompatible": "incompatible orders",
    "scrambled": "one transaction's elements in another order",
    "internal": "a transaction that contradicts itself",
    "lost update": "a lost update",
}
_MOST_OPS: Final = 12


@dataclass(frozen=True, kw_only=True)
class Level:
    """An isolation level, by the cycles that it forbids.

    `anti`: anti-dependencies count. `split`: cycles with two adjacent ones are allowed. `real_time`: a transaction that was
    done before another was sent comes before it.
    """

    name: str
    order: str
    """The order that a valid history has: "one serial order"."""
    forbids: tuple[str, ...]
    anti: bool
    split: bool = False
    real_time: bool = False


READ_COMMITTED: Final = Level(name="read committed", order="an order of commits", forbids=_NO_ORDER, anti=False)
_ATOMIC: Final = (*_NO_ORDER, "internal", "lost update")
SNAPSHOT_ISOLATION: Final = Level(
    name="snapshot isolation", order="one order of snapshots and commits", forbids=_ATOMIC, anti=True, split=True
)
SERIALIZABLE: Final = Level(name="serializable", order="one serial order", forbids=_ATOMIC, anti=True)
STRICT_SERIALIZABLE: Final = Level(
    name="strictly serializable", order="one serial order that follows real time", forbids=_ATOMIC, anti=True, real_time=True
)


def judge(history: History, level: Level) -> Verdict:
    """The verdict on whether the level explains all transactions of a history."""
    try:
        seen = observe(history.ops)
    except NotATransaction as error:
        return Verdict(valid=None, why=str(error))
    _leave_out_what_others_changed(seen, history.ops)
    if not seen.answered:
        return Verdict(valid=None, why="no transaction was answered, so nothing could be wrong")
    if not seen.reads:
        return Verdict(valid=None, why="no transaction read anything, so nothing could show the order of the writes")
    found = dependencies(seen)
    doubtful = ""
    for phenomenon in level.forbids:
        if oddities := found.phenomena[phenomenon]:
            if phenomenon == "unwritten" and seen.untold >= 0:
                doubtful = f"{oddities[0].why}, unless by op {seen.untold}, which may have written anything"
                continue
            more = f" (and {len(oddities) - 1:,} more)" if len(oddities) > 1 else ""
            return Verdict(
                valid=False,
                why=f"not {level.name}: {_TOLD[phenomenon]}: {oddities[0].why}{more}",
                ops=oddities[0].ops[:_MOST_OPS],
            )
    edges, ordered = _ordered(found, history.ops, level)
    if ordered.possible is False:
        cycle = gravest_cycle(ordered.graph, edges, found.rows, found.lists)
        if cycle is not None:
            told = "; ".join(dependency.why for dependency in cycle.dependencies)
            return Verdict(
                valid=False,
                why=f"not {level.name}: {cycle.named}: {told}",
                ops=cycle.ops[:_MOST_OPS],
                cycle=cycle.dependencies,
            )
        rows = _rows(found, ordered.tangle, ordered.graph.nodes)
        why = f"not {level.name}: no order of the writes explains what {count(len(rows), 'transaction')} read"
        return Verdict(valid=False, why=why, ops=rows[:_MOST_OPS])
    if ordered.possible is None:
        rows = _rows(found, ordered.tangle, ordered.graph.nodes)
        why = (
            f"{count(len(rows), 'transaction')} depend on each other in too many ways to be told apart within the bound,"
            f" such as op {rows[0]}; lists (append) instead of registers show their order"
        )
        return Verdict(valid=None, why=why, ops=rows[:_MOST_OPS])
    if doubtful:
        return Verdict(valid=None, why=doubtful)
    if found.ambiguous:
        first = next(iter(found.ambiguous.values()))
        keys = sorted(map(str, found.ambiguous))
        return Verdict(valid=None, why=f"{first}, so it is not known which write a read saw; undecided: {listed(keys)}")
    return Verdict(
        valid=True,
        why=f"{level.order} explains all of {count(len(found.rows), 'transaction')},"
        f" {count(seen.reads, 'read')} on {count(len(seen.keys), 'key')}",
    )


def _leave_out_what_others_changed(seen: Observations, ops: pd.DataFrame) -> None:
    """Mark the keys that calls other than transactions may have changed: a read may have seen what one of those wrote."""
    first = unknown_changes(ops, (KIND, READ)).drop_duplicates("key")
    changed = {
        str(key): f"{key} was changed by a {kind} (op {row})"
        for row, key, kind in zip(first.index, first["key"], first["kind"], strict=True)
    }
    for key, record in seen.keys.items():
        record.changed_by = changed.get(str(key), "")
        record.ambiguous = record.ambiguous or record.changed_by


def _ordered(found: Dependencies, ops: pd.DataFrame, level: Level) -> tuple[list[Edge], Ordered]:
    """An order of the writes, and the edges used to find it.

    If reads do not reveal the order of the writes, an order that follows real time is tried first: it is found much sooner, and
    most databases have one, whatever they promise.
    """
    edges, ends = _relevant(found, level), _ends(ops, found.rows)
    ranks = ends.argsort(kind="stable").argsort()
    if level.real_time or any(any(key.readers) for key in found.unordered):
        timed = edges.copy()
        joints = _follow_real_time(timed, found, ops, ends)
        ordered = order(found, timed, joints, ranks, level.split)
        if level.real_time or ordered.possible:
            return timed, ordered
    return edges, order(found, edges, found.joints, ranks, level.split)


def applies(history: History) -> bool:
    """Whether there were transactions."""
    return bool((history.ops["kind"] == KIND).any())


def _relevant(found: Dependencies, level: Level) -> list[Edge]:
    if level.anti:
        return found.edges
    kept = [edge for edge in found.edges if edge.kind != Kind.RW]
    found.unordered = []
    return kept


def _ends(ops: pd.DataFrame, rows: list[int]) -> Integers:
    """When each transaction was done; the largest time if that is not known."""
    chosen = ops.loc[rows]
    done = (chosen["outcome"] == "ok").to_numpy(dtype=bool)
    return np.where(done, chosen["done_ns"].to_numpy(), np.iinfo(np.int64).max)


def _follow_real_time(edges: list[Edge], found: Dependencies, ops: pd.DataFrame, ends: Integers) -> int:
    """Order each transaction before those sent after it was done, through a chain of joints, one for each end."""
    known = np.flatnonzero(ends < np.iinfo(np.int64).max)
    by_end = known[np.argsort(ends[known], kind="stable")]
    first = len(found.rows) + found.joints
    for place, transaction in enumerate(by_end.tolist()):
        edges.append(Edge(Kind.RT, transaction, first + place))
        if place:
            edges.append(Edge(Kind.RT, first + place - 1, first + place))
    before = np.searchsorted(ends[by_end], ops.loc[found.rows, "sent_ns"].to_numpy(), side="left")
    for transaction, place in enumerate(before.tolist()):
        if place:
            edges.append(Edge(Kind.RT, first + place - 1, transaction))
    return found.joints + len(by_end)


def _rows(found: Dependencies, moments: Integers, nodes: int) -> tuple[int, ...]:
    chosen = np.unique(moments % nodes)
    return tuple(found.rows[transaction] for transaction in chosen[chosen < len(found.rows)].tolist())
