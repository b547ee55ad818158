"""Causal order of the calls of sessions, as vector clocks.

Each client is a column. Its calls in session order are numbered from 1 up, and a call's clock holds, for each column, how many
of the column's calls come before it in causal order, itself included. A write of unknown outcome is in no client's column,
because its client's later calls do not follow it. If it was read, it is in an extra column, which it shares with other such
writes that are in causal order with it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from harness.checkers._sessions import Sessions
from harness.checkers._timeline import NONE, Booleans, Integers, Timeline

MOST_CELLS: Final = 500_000_000
"""The limit on calls times columns: two gigabytes."""


class TooMany(Exception):
    """More calls and columns than fit into memory."""


@dataclass(frozen=True, kw_only=True)
class Clocks:
    """Vector clocks, one row per call. `column` and `number` are a call's own place; `column` is `NONE` if it has none."""

    clock: npt.NDArray[np.int32]
    column: Integers
    number: Integers

    def before(self, one: Integers, other: Integers) -> Booleans:
        """Whether each call of `one` comes before its counterpart in causal order, or is the same call."""
        found: Booleans = self.clock[other, self.column[one]] >= self.number[one]
        return found


def clocks(found: Sessions) -> Clocks | None:
    """The clocks of all calls; None if causal order has a cycle. Raises `TooMany`."""
    size = len(found.row)
    order = _topological(found)
    if order is None:
        return None
    was_read = np.zeros(size, dtype=bool)
    was_read[found.source[found.source >= 0]] = True
    column = np.where(found.chained, found.client, NONE)
    number = np.zeros(size, dtype=np.int64)
    columns = found.clients
    width = columns + 8
    _fits(size, width)
    clock = np.zeros((size, width), dtype=np.int32)
    last = [0] * width
    shared = (was_read & ~found.chained).tolist()
    chained, before, source, client = (each.tolist() for each in (found.chained, found.before, found.source, found.client))
    for at in order:
        own = clock[at]
        if before[at] != NONE:
            own[:] = clock[before[at]]
        if source[at] >= 0:
            np.maximum(own, clock[source[at]], out=own)
        if chained[at]:
            number[at] = own[client[at]] = own[client[at]] + 1
        elif shared[at]:
            at_column = next((each for each in range(found.clients, columns) if own[each] == last[each]), columns)
            if at_column == columns:
                columns += 1
            if columns > width:
                _fits(size, 2 * width)
                clock = np.concatenate([clock, np.zeros_like(clock)], axis=1)
                last += [0] * width
                width *= 2
                own = clock[at]
            last[at_column] += 1
            column[at], number[at], own[at_column] = at_column, last[at_column], last[at_column]
    return Clocks(clock=clock[:, :columns], column=column, number=number)


def _fits(size: int, width: int) -> None:
    if size * width > MOST_CELLS:
        raise TooMany(f"{size:,} calls with clocks of {width:,} places are more than fit into memory")


def _topological(found: Sessions) -> list[int] | None:
    """The calls in a causal order, by Kahn's algorithm; None if there is none."""
    source, target = found.edges()
    waiting = np.bincount(target, minlength=len(found.row)).tolist()
    sorted_ = np.argsort(source, kind="stable")
    begin = np.searchsorted(source[sorted_], np.arange(len(found.row) + 1)).tolist()
    following = target[sorted_].tolist()
    ready = deque(at for at, number in enumerate(waiting) if not number)
    order = []
    while ready:
        at = ready.popleft()
        order.append(at)
        for later in following[begin[at] : begin[at + 1]]:
            waiting[later] -= 1
            if not waiting[later]:
                ready.append(later)
    return order if len(order) == len(waiting) else None


def latest_known(found: Sessions, order: Clocks, reads: Integers) -> tuple[Integers, Integers]:
    """The last write of each read's key in each column before it, as pairs: the place in `reads`, and the write."""
    writes = np.flatnonzero(found.write & (order.column != NONE))
    columns = order.clock.shape[1]
    timeline = Timeline(order.column[writes] * len(found.keys) + found.key[writes], order.number[writes])
    places, known = [], []
    for column in range(columns):
        seen = order.clock[reads, column].astype(np.int64)
        some = np.flatnonzero(seen)
        if not len(writes) or not some.size:
            continue
        at = timeline.greatest_before(
            order.number[writes], column * len(found.keys) + found.key[reads[some]], seen[some], touching=True
        )
        places.append(some[at != NONE])
        known.append(writes[at[at != NONE]])
    empty = np.zeros(0, dtype=np.int64)
    return np.concatenate([empty, *places]), np.concatenate([empty, *known])
