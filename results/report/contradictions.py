"""A timeline of the operations that a check points at and their neighbours, client by client.

Real time would hide what matters: the calls of a contradiction take milliseconds and may be seconds apart. So the drawing
advances one step for every begin and end, which keeps the order of operations and their overlaps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from results.record.result import CheckResult
from results.report.phrasing import milliseconds, operation

_SUSPECTS: Final = 12
_OPERATIONS: Final = 16
_STEP_PX: Final = 22


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One call, placed in percent of the drawing's width."""

    left: float
    width: float
    room: float
    """The space for its text: up to the client's next call."""
    text: str
    tip: str
    outcome: str
    suspect: bool
    explained: bool
    """Whether it was done before the moment up to which the history has a valid order."""


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Some clients' calls."""

    title: str
    lanes: tuple[tuple[str, tuple[Bar, ...]], ...]
    """Each client's name and its calls: the suspects' clients first, both in the order in which they begin."""
    from_s: float
    to_s: float
    min_width_px: int
    note: str
    explained_until: float | None
    """In percent of the width: the calls done before it have a valid order, and with those done at it there is none."""


def timeline(check: CheckResult, ops: pd.DataFrame) -> Timeline | None:
    """The timeline of the operations that a check points at; None if none of them was recorded."""
    suspects = [op for op in check.ops if op in ops.index][:_SUSPECTS]
    if not suspects:
        return None
    shown = ops.loc[[*suspects, *_neighbours(ops, suspects, _OPERATIONS - len(suspects))]].sort_values("sent_ns", kind="stable")
    ends = sorted({*shown["sent_ns"].tolist(), *shown["done_ns"].tolist()})
    place = {at_ns: 100 * step / max(len(ends) - 1, 1) for step, at_ns in enumerate(ends)}
    until_ns = check.explained_until_ns
    clients = dict.fromkeys([*shown.loc[shown.index.isin(suspects), "client"], *shown["client"]])
    lanes = tuple(
        (f"client {client}", _bars(shown[shown["client"] == client], place, set(suspects), until_ns)) for client in clients
    )
    more = len(check.ops) - len(suspects)
    notes = [f"{more:,} more operations are in the run's result."] if more else []
    if until_ns in place:
        notes.append("What was done left of the dashed line has an order that explains it.")
    return Timeline(
        title=f"What contradicts {check.name}, client by client",
        lanes=lanes,
        from_s=ends[0] / 1e9,
        to_s=ends[-1] / 1e9,
        min_width_px=_STEP_PX * len(ends),
        note=" ".join(notes),
        explained_until=None if until_ns is None or until_ns not in place else round(place[until_ns], 3),
    )


def _neighbours(ops: pd.DataFrame, suspects: Sequence[int], at_most: int) -> list[int]:
    """The calls closest in time to the suspects: first those on the same keys, then those of the same clients."""
    chosen = ops.loc[list(suspects)]
    same_key = ops["key"].isin(chosen["key"]).to_numpy()
    near = ops[(same_key | ops["client"].isin(chosen["client"]).to_numpy()) & ~ops.index.isin(suspects)]
    sent_ns, done_ns = near["sent_ns"].to_numpy()[:, None], near["done_ns"].to_numpy()[:, None]
    apart_ns = (
        np.maximum(sent_ns - chosen["done_ns"].to_numpy(), chosen["sent_ns"].to_numpy() - done_ns).clip(min=0).min(axis=1)
    )
    other_key = ~near["key"].isin(chosen["key"]).to_numpy()
    order = np.lexsort((apart_ns, other_key))[:at_most]
    return [int(op) for op in near.index.to_numpy()[order]]


def _bars(rows: pd.DataFrame, place: dict[int, float], suspects: set[int], until_ns: int | None) -> tuple[Bar, ...]:
    lefts = [place[at_ns] for at_ns in rows["sent_ns"]]
    bars = []
    for (number, op), left, next_left in zip(rows.iterrows(), lefts, [*lefts[1:], 100.0], strict=True):
        what = operation(op["kind"], op["key"], op["value"], op["expected"])
        times = f"{op['sent_ns'] / 1e9:.6f} s, {milliseconds((op['done_ns'] - op['sent_ns']) / 1e6)}"
        bars.append(
            Bar(
                left=round(left, 3),
                width=round(place[int(op["done_ns"])] - left, 3),
                room=round(next_left - left, 3),
                text=what,
                tip=f"operation {number}: {what}, {op['outcome']}, sent at {times}{_from(op['node'])}",
                outcome=str(op["outcome"]),
                suspect=number in suspects,
                explained=until_ns is not None and int(op["done_ns"]) < until_ns,
            )
        )
    return tuple(bars)


def _from(node: object) -> str:
    return f", answered by {node}" if isinstance(node, str) and node else ""
