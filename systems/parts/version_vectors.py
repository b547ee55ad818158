"""Version vectors: how many writes of each node a state includes. Two vectors of which neither covers the other are concurrent.

D. S. Parker et al., "Detection of Mutual Inconsistency in Distributed Systems", IEEE TSE 9(3), 1983. A vector maps nodes to the
number of their writes that are included; a missing node has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Order = Literal["equal", "before", "after", "concurrent"]


def covers(vector: Mapping[str, int], other: Mapping[str, int]) -> bool:
    """Whether a vector includes every write that the other one includes. O(nodes)."""
    return all(vector.get(node, 0) >= count for node, count in other.items())


def order(vector: Mapping[str, int], other: Mapping[str, int]) -> Order:
    """The causal order of two vectors. O(nodes)."""
    above, below = covers(vector, other), covers(other, vector)
    if above and below:
        return "equal"
    return "after" if above else "before" if below else "concurrent"


def merged(*vectors: Mapping[str, int]) -> dict[str, int]:
    """The smallest vector that covers all of these, its nodes sorted. O(nodes log nodes)."""
    nodes = sorted({node for vector in vectors for node in vector})
    return {node: max(vector.get(node, 0) for vector in vectors) for node in nodes}
