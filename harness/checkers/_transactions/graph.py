"""Dependencies as a graph of moments, in which a cycle means that an isolation level was violated."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from harness.checkers._cycles import components
from harness.checkers._transactions.dependencies import Kind

Booleans = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

_STARTS: Final = 200
"""From how many nodes of a tangle to search for the shortest cycle."""


class Graph:
    """Directed edges between moments.

    With `split`, each transaction is two moments: when it took its snapshot, and when it committed. An anti-dependency goes
    from a snapshot to a commit, all other dependencies from a commit to a snapshot. Every cycle then has no two adjacent
    anti-dependencies, which is what snapshot isolation rules out. Without `split`, each transaction is one moment, and any
    cycle rules out a serial order. Source: A. Cerone and A. Gotsman, "Analysing Snapshot Isolation", PODC 2016, theorem 4.1.

    The first `transactions` nodes are transactions; the others, up to `nodes`, are joints.
    """

    def __init__(self, transactions: int, nodes: int, source: Integers, target: Integers, kind: Integers, split: bool) -> None:
        self.transactions, self.nodes, self.split = transactions, nodes, split
        if split:
            inside = np.arange(transactions)
            source, target, kind = (
                np.concatenate([np.where((source < transactions) & (kind != Kind.RW), source + nodes, source), inside]),
                np.concatenate([np.where((target < transactions) & (kind == Kind.RW), target + nodes, target), inside + nodes]),
                np.concatenate([kind, np.full(transactions, Kind.INSIDE)]),
            )
        self.source, self.target, self.kind = source, target, kind
        self.moments = 2 * nodes if split else nodes

    def begin(self, transaction: int) -> int:
        """The moment at which a transaction reads."""
        return transaction

    def end(self, transaction: int) -> int:
        """The moment at which its writes become visible."""
        return transaction + self.nodes if self.split else transaction

    def tangles(self, chosen: Booleans | None = None) -> list[Integers]:
        """The sets of moments that lie on common cycles, the smallest first; only through the chosen edges, if given."""
        source, target = (self.source, self.target) if chosen is None else (self.source[chosen], self.target[chosen])
        return tangles(self.moments, source, target)

    def shortest_cycle(self, tangle: Integers, chosen: Booleans | None = None) -> list[int]:
        """The edges of a short cycle within a tangle: the shortest through any of its first moments."""
        within = np.zeros(self.moments, dtype=bool)
        within[tangle] = True
        kept = within[self.source] & within[self.target]
        if chosen is not None:
            kept &= chosen
        onward = _adjacency(np.flatnonzero(kept), self.source)
        best: list[int] = []
        for start in tangle[:_STARTS].tolist():
            found = _path(onward, self.target, start, start, len(best) - 1 if best else None)
            if found and (not best or len(found) < len(best)):
                best = found
        return best

    def cycle_with_one(self, tangle: Integers, special: Booleans, chosen: Booleans) -> list[int]:
        """The edges of a cycle of chosen edges and one special edge, which comes first; empty if none was found."""
        within = np.zeros(self.moments, dtype=bool)
        within[tangle] = True
        inside = within[self.source] & within[self.target]
        onward = _adjacency(np.flatnonzero(inside & chosen), self.source)
        best: list[int] = []
        for edge in np.flatnonzero(inside & special)[:_STARTS].tolist():
            back = _path(onward, self.target, int(self.target[edge]), int(self.source[edge]), len(best) - 2 if best else None)
            if back and (not best or len(back) + 1 < len(best)):
                best = [edge, *back]
        return best


def tangles(moments: int, source: Integers, target: Integers) -> list[Integers]:
    """The strongly connected components of more than one node, the smallest first."""
    count, label = components(moments, source, target)
    if count == moments:
        return []
    sizes = np.bincount(label, minlength=count)
    order = np.argsort(label, kind="stable")
    starts = np.concatenate([[0], np.cumsum(sizes)])
    chosen = np.flatnonzero(sizes > 1)
    return [order[starts[c] : starts[c + 1]] for c in chosen[np.argsort(sizes[chosen], kind="stable")]]


def _adjacency(edges: Integers, source: Integers) -> dict[int, list[int]]:
    onward: dict[int, list[int]] = {}
    for edge, start in zip(edges.tolist(), source[edges].tolist(), strict=True):
        onward.setdefault(start, []).append(edge)
    return onward


def _path(
    onward: dict[int, list[int]], target: Sequence[int] | Integers, start: int, goal: int, at_most: int | None
) -> list[int]:
    """The edges of a shortest path of at least one edge; empty if there is none with at most `at_most` edges."""
    came: dict[int, int] = {}
    came_from: dict[int, int] = {}
    waiting = deque([(start, 0)])
    while waiting:
        node, length = waiting.popleft()
        if at_most is not None and length >= at_most:
            return []
        for edge in onward.get(node, ()):
            reached = int(target[edge])
            if reached == goal:
                edges = [edge]
                while node != start:
                    edges.append(came[node])
                    node = came_from[node]
                return edges[::-1]
            if reached not in came and reached != start:
                came[reached], came_from[reached] = edge, node
                waiting.append((reached, length + 1))
    return []
