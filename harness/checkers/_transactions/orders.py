"""Decide whether the writes of each key can be ordered so that no cycle is left.

For lists, the reads reveal the order of all elements that were read; for registers they reveal little. The rest is settled in
three steps, of which the first suffices for nearly all histories: take the order in which the transactions ended, as far as the
known dependencies allow, and see whether that leaves a cycle; if it does, infer within the tangle which orders are impossible
(R. Biswas and C. Enea, "On the Complexity of Checking Transactional Consistency", OOPSLA 2019); if that decides nothing more,
try both orders of a pair, within a bound. The problem is NP-complete (C. Papadimitriou, "The Serializability of Concurrent
Database Updates", JACM 26(4), 1979), so the bound may be reached.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from harness.checkers._transactions.dependencies import Dependencies, Edge, Kind, Unordered
from harness.checkers._transactions.graph import Graph, Integers
from harness.checkers._transactions.tangle import Budget, Pair, Tangle, TooEntangled

_ROUNDS: Final = 20
_ENDS_AND_KIND: Final = tuple(Edge._fields.index(name) for name in ("source", "target", "kind"))


@dataclass(frozen=True, slots=True)
class Ordered:
    """The result. `possible`: whether there is an order; None if the bound was reached."""

    possible: bool | None
    graph: Graph
    """The graph of the known dependencies."""
    edges: list[Edge]
    tangle: Integers
    """The moments for which there is no order, or none was found."""


def order(dependencies: Dependencies, edges: list[Edge], joints: int, ended: Integers, split: bool) -> Ordered:
    """Look for an order of the writes that leaves no cycle in the graph of these edges. Appends inferred edges to `edges`.

    `ended` ranks the transactions by their ends, for a first guess.
    """
    transactions = len(dependencies.rows)
    nodes = transactions + joints
    unordered = [
        key for key in dependencies.unordered if split or any(key.readers)
    ]  # elements that were never read can follow any order of their transactions
    settled: set[Pair] = set()
    budget = Budget()
    while True:
        graph, tangled = _graph(transactions, nodes, edges, split)
        if tangled:
            return Ordered(False, graph, edges, tangled[0])
        place = _topological(graph, ended) if unordered else []
        left = _left_over(graph, edges, unordered, place)
        inferred: set[Pair] = set()
        for moments in left:
            try:
                new = Tangle(graph, unordered, moments, settled, place, budget).infer()
            except TooEntangled:
                return Ordered(None, graph, edges, moments)
            if new is None:
                return Ordered(False, graph, edges, moments)
            inferred |= new
        if not inferred:
            break
        _put(edges, unordered, inferred)
        settled |= inferred
    if not left:
        return Ordered(True, graph, edges, _NOTHING)
    return _searched(graph, edges, unordered, settled, place, left, budget)


_NOTHING: Final = np.empty(0, dtype=np.int64)


def _searched(
    graph: Graph,
    edges: list[Edge],
    unordered: list[Unordered],
    settled: set[Pair],
    place: list[int],
    left: list[Integers],
    budget: Budget,
) -> Ordered:
    """Try both orders of pairs, in the remaining tangles and then in ever larger parts around them."""
    for _ in range(_ROUNDS):
        assumed: set[Pair] = set()
        for moments in left:
            try:
                found = Tangle(graph, unordered, moments, settled, place, budget).search()
            except TooEntangled:
                return Ordered(None, graph, edges, moments)
            if found is None:
                return Ordered(False, graph, edges, moments)
            assumed |= found
        tried = edges.copy()
        _put(tried, unordered, assumed)
        then, tangled = _graph(graph.transactions, graph.nodes, tried, graph.split)
        if not tangled:
            tangled = _left_over(then, tried, unordered, _topological(then, place[: graph.transactions]))
            if not tangled:
                return Ordered(True, graph, edges, _NOTHING)
        left = [np.unique(np.concatenate([*left, *tangled]))]
    return Ordered(None, graph, edges, left[0])


def _put(edges: list[Edge], unordered: list[Unordered], pairs: set[Pair]) -> None:
    for key, earlier, later in sorted(pairs):
        _before(edges, unordered[key], earlier, later)


def _left_over(graph: Graph, edges: list[Edge], unordered: list[Unordered], place: list[int]) -> list[Integers]:
    """The tangles that remain when all writers follow the order of their places."""
    if not unordered:
        return []
    tried = edges.copy()
    for key in unordered:
        chosen = sorted(range(len(key.writers)), key=lambda number: place[graph.end(key.writers[number])])
        for earlier, later in pairwise(chosen):
            _before(tried, key, earlier, later)
    return _graph(graph.transactions, graph.nodes, tried, graph.split)[1]


def _graph(transactions: int, nodes: int, edges: list[Edge], split: bool) -> tuple[Graph, list[Integers]]:
    source, target, kind = (
        np.fromiter((edge[place] for edge in edges), dtype=np.int64, count=len(edges)) for place in _ENDS_AND_KIND
    )
    graph = Graph(transactions, nodes, source, target, kind, split)
    return graph, graph.tangles()


def _topological(graph: Graph, ended: Sequence[int] | Integers) -> list[int]:
    """Each moment's place in a topological order close to the order in which transactions ended, with commits as early as
    possible."""
    waiting_for = np.bincount(graph.target, minlength=graph.moments).tolist()
    by_source = np.argsort(graph.source, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(graph.source, minlength=graph.moments))]).tolist()
    onward = graph.target[by_source].tolist()
    priority = np.full(graph.moments, -1, dtype=np.int64)
    priority[: graph.transactions] = ended
    urgency = priority.tolist()
    ready = [(urgency[moment], moment) for moment in range(graph.moments) if not waiting_for[moment]]
    heapq.heapify(ready)
    place = [0] * graph.moments
    for number in range(graph.moments):
        _, moment = heapq.heappop(ready)
        place[moment] = number
        for reached in onward[starts[moment] : starts[moment + 1]]:
            waiting_for[reached] -= 1
            if not waiting_for[reached]:
                heapq.heappush(ready, (urgency[reached], reached))
    return place


def _before(edges: list[Edge], key: Unordered, earlier: int, later: int) -> None:
    first, second = key.writers[earlier], key.writers[later]
    edges.append(Edge(Kind.WW, first, second, key.key, key.values[earlier], key.values[later]))
    for reader in _others(key.readers[earlier], second):
        edges.append(Edge(Kind.RW, reader, second, key.key, key.values[earlier], key.values[later]))


def _others(readers: tuple[int, ...], but: int) -> Iterator[int]:
    return (reader for reader in readers if reader != but)
