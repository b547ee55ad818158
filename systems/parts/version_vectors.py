"""Version vectors: which writes of each node something includes. One that does not cover another one is concurrent with it.

D. S. Parker et al., "Detection of Mutual Inconsistency in Distributed Systems", IEEE TSE 9(3), 1983. A vector is a mapping
from nodes to how many writes of theirs are included; a node that is missing has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Order = Literal["equal", "before", "after", "concurrent"]


def covers(vector: Mapping[str, int], other: Mapping[str, int]) -> bool:
    """Whether a vector includes all that the other one does. O(nodes)."""
    return all(vector.get(node, 0) >= count for node, count in other.items())


def order(vector: Mapping[str, int], other: Mapping[str, int]) -> Order:
    """How a vector stands to another one. O(nodes)."""
    above, below = covers(vector, other), covers(other, vector)
    if above and below:
        return "equal"
    return "after" if above else "before" if below else "concurrent"


def merged(*vectors: Mapping[str, int]) -> dict[str, int]:
    """The least vector that covers all of these, its nodes sorted. O(nodes log nodes)."""
    nodes = sorted({node for vector in vectors for node in vector})
    return {node: max(vector.get(node, 0) for vector in vectors) for node in nodes}
