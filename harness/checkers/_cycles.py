"""Cycles in large directed graphs."""

from __future__ import annotations

from collections import deque

import numpy as np

from harness.checkers._timeline import Booleans, Integers


def components(nodes: int, source: Integers, target: Integers) -> tuple[int, Integers]:
    """The number of strongly connected components, and each node's component. O(nodes + edges)."""
    # Imported here because it takes a quarter of a second, and most commands check nothing.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(source), dtype=np.int8), (source, target)), shape=(nodes, nodes)).tocsr()
    number, component = connected_components(graph, directed=True, connection="strong")
    return number, component


def on_cycles(nodes: int, source: Integers, target: Integers) -> Booleans:
    """A mask of the nodes that lie on a cycle. O(nodes + edges)."""
    _, component = components(nodes, source, target)
    cyclic: Booleans = np.bincount(component, minlength=nodes)[component] > 1
    cyclic[source[source == target]] = True
    return cyclic


def first_cycle(nodes: int, source: Integers, target: Integers) -> tuple[list[int], int] | None:
    """A shortest cycle through the first node on any cycle, and how many nodes are on cycles; None if there is no cycle."""
    cyclic = on_cycles(nodes, source, target)
    if not cyclic.any():
        return None
    return shortest_cycle(int(np.flatnonzero(cyclic)[0]), source, target, cyclic), int(cyclic.sum())


def shortest_cycle(start: int, source: Integers, target: Integers, among: Booleans) -> list[int]:
    """A shortest cycle through `start`, as nodes in order. `start` must lie on a cycle within `among`."""
    inside = among[source] & among[target]
    source, target = source[inside], target[inside]
    order = np.argsort(source, kind="stable")
    source, target = source[order], target[order]
    came_from: dict[int, int] = {}
    queue = deque([start])
    while queue:
        node = queue.popleft()
        begin, end = np.searchsorted(source, [node, node + 1])
        for following in target[begin:end].tolist():
            if following == start:
                path = [node]
                while path[-1] != start:
                    path.append(came_from[path[-1]])
                return path[::-1]
            if following not in came_from:
                came_from[following] = node
                queue.append(following)
    raise ValueError(f"node {start} lies on no cycle")
