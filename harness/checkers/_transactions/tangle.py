"""Find the possible orders of writes among transactions that a first guess left in cycles."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import Final, NamedTuple

import numpy as np

from harness.checkers._transactions.dependencies import Unordered
from harness.checkers._transactions.graph import Graph, Integers

_MOMENTS: Final = 6000
"""How many moments a tangle may have."""
_PAIRS: Final = 200_000
"""How many pairs of writers it may have."""
_DEPTH: Final = 400
"""How many pairs' orders a search may assume at once."""

Pair = tuple[int, int, int]
"""The number of a key, and of two of its writers: first the earlier one."""


class TooEntangled(Exception):
    """Too many transactions depend on each other to find their order within the bound."""


class _Impossible(Exception):
    """The assumed orders leave a cycle."""


@dataclass(slots=True)
class Budget:
    """How many pairs and moments may still be examined, at about half a microsecond each."""

    left: int = 40_000_000

    def spend(self, amount: int) -> None:
        self.left -= amount
        if self.left < 0:
            raise TooEntangled


class _Open(NamedTuple):
    """Two writers without an order yet: their moments, and their readers' moments as bit sets."""

    key: int
    one: int
    other: int
    begin_one: int
    begin_other: int
    end_one: int
    end_other: int
    readers_one: int
    readers_other: int


@dataclass(slots=True)
class _State:
    """Edges by moment, the pairs without an order, and the pairs whose order is decided."""

    onward: list[list[int]]
    open: list[_Open]
    decided: set[Pair] = field(default_factory=set)

    def copy(self) -> _State:
        return _State([list(reached) for reached in self.onward], list(self.open), set(self.decided))


class Tangle:
    """A part of the graph of known dependencies; its moments are renumbered."""

    def __init__(
        self, graph: Graph, unordered: list[Unordered], moments: Integers, settled: set[Pair], place: list[int], budget: Budget
    ) -> None:
        transactions = {int(m) % graph.nodes for m in moments if int(m) % graph.nodes < graph.transactions}
        inside = transactions | {
            writer
            for key in unordered
            if not transactions.isdisjoint(key.writers)
            for writer, readers in zip(key.writers, key.readers, strict=True)
            if not transactions.isdisjoint(readers)
        }
        joints = {int(m) for m in moments if int(m) % graph.nodes >= graph.transactions}
        chosen = sorted({graph.begin(t) for t in inside} | {graph.end(t) for t in inside} | joints)
        if len(chosen) > _MOMENTS:
            raise TooEntangled
        self._number = {moment: number for number, moment in enumerate(chosen)}
        self._graph, self._keys, self._budget = graph, unordered, budget
        within = np.zeros(graph.moments, dtype=bool)
        within[chosen] = True
        kept = within[graph.source] & within[graph.target]
        onward: list[list[int]] = [[] for _ in chosen]
        for source, target in zip(graph.source[kept].tolist(), graph.target[kept].tolist(), strict=True):
            onward[self._number[source]].append(self._number[target])
        self._known = _State(onward, self._pairs(inside, settled, place))

    def _pairs(self, inside: set[int], settled: set[Pair], place: list[int]) -> list[_Open]:
        """The unsettled pairs of writers, each in the order of their places."""
        graph = self._graph
        found: list[_Open] = []
        for number, key in enumerate(self._keys):
            if inside.isdisjoint(key.writers):
                continue
            chosen = [writer for writer, transaction in enumerate(key.writers) if transaction in inside]
            if len(found) + len(chosen) ** 2 // 2 > _PAIRS:
                raise TooEntangled
            chosen.sort(key=lambda writer: place[graph.end(key.writers[writer])])
            begins = [self._number[graph.begin(key.writers[writer])] for writer in chosen]
            ends = [self._number[graph.end(key.writers[writer])] for writer in chosen]
            readers = [
                sum(
                    1 << self._number[graph.begin(reader)]
                    for reader in key.readers[writer]
                    if graph.begin(reader) in self._number
                )
                for writer in chosen
            ]
            found += [
                _Open(number, chosen[a], chosen[b], begins[a], begins[b], ends[a], ends[b], readers[a], readers[b])
                for a, b in combinations(range(len(chosen)), 2)
                if (number, chosen[a], chosen[b]) not in settled and (number, chosen[b], chosen[a]) not in settled
            ]
        return found

    def infer(self) -> set[Pair] | None:
        """The unordered pairs for which only one order is possible; None if for some pair neither is."""
        try:
            self._saturate(self._known)
        except _Impossible:
            return None
        return self._known.decided

    def search(self) -> set[Pair] | None:
        """An order of all pairs, close to the order of the moments' places; None if there is none.

        Raises `TooEntangled` when the bound is reached.
        """
        try:
            self._saturate(self._known)
            return self._try(self._known, 0)
        except _Impossible:
            return None

    def _try(self, state: _State, depth: int) -> set[Pair]:
        if not state.open:
            return state.decided
        if depth > _DEPTH:
            raise TooEntangled
        pair = state.open[0]
        for first, second in ((pair.one, pair.other), (pair.other, pair.one)):
            attempt = state.copy()
            attempt.open.pop(0)
            self._put(attempt, (pair.key, first, second))
            try:
                self._saturate(attempt)
                return self._try(attempt, depth + 1)
            except _Impossible:
                continue
        raise _Impossible

    def _saturate(self, state: _State) -> None:
        """Order all pairs for which only one order is possible, until nothing changes. Raises `_Impossible` for a cycle."""
        changed = True
        while changed:
            self._budget.spend(len(state.open) + len(state.onward))
            reach = _reach(state.onward)
            still_open: list[_Open] = []
            forced: list[Pair] = []
            for pair in state.open:
                from_one, from_other = reach[pair.begin_one], reach[pair.begin_other]
                first = from_one >> pair.end_other & 1 or reach[pair.end_one] & pair.readers_other
                second = from_other >> pair.end_one & 1 or reach[pair.end_other] & pair.readers_one
                if first and second:
                    raise _Impossible
                if first:
                    forced.append((pair.key, pair.one, pair.other))
                elif second:
                    forced.append((pair.key, pair.other, pair.one))
                else:
                    still_open.append(pair)
            state.open = still_open
            for forced_pair in forced:
                self._put(state, forced_pair)
            changed = bool(forced)

    def _put(self, state: _State, pair: Pair) -> None:
        number, earlier, later = pair
        key, graph = self._keys[number], self._graph
        second = key.writers[later]
        state.onward[self._number[graph.end(key.writers[earlier])]].append(self._number[graph.begin(second)])
        for reader in key.readers[earlier]:
            moment = self._number.get(graph.begin(reader))
            if moment is not None and reader != second:
                state.onward[moment].append(self._number[graph.end(second)])
        state.decided.add(pair)


def _reach(onward: list[list[int]]) -> list[int]:
    """For each node, the bit set of the nodes that it reaches. Raises `_Impossible` if there is a cycle."""
    waiting = [0] * len(onward)
    for targets in onward:
        for target in targets:
            waiting[target] += 1
    order = [node for node, count in enumerate(waiting) if not count]
    for node in order:
        for target in onward[node]:
            waiting[target] -= 1
            if not waiting[target]:
                order.append(target)
    if len(order) < len(onward):
        raise _Impossible
    reach = [0] * len(onward)
    for node in reversed(order):
        bits = 0
        for target in onward[node]:
            bits |= reach[target] | 1 << target
        reach[node] = bits
    return reach
