"""Multi-probe consistent hashing: one point per node, and many places at which a key looks for the nearest point."""

from __future__ import annotations

from typing import Final

from harness.model.errors import UsageError
from systems.parts.partitioning.consistent import ConsistentHashing
from systems.parts.partitioning.members import Members

PROBES: Final = 21
"""With this many, the fullest node has about 1.05 times the mean (the paper's table 1)."""


def multi_probe(members: Members, probes: int = PROBES) -> ConsistentHashing:
    """A ring with memory for one point per node, and `probes` look-ups per key.

    B. Appleton and M. O'Reilly, "Multi-probe consistent hashing", 2015. Raises `UsageError` unless all nodes have equal
    weights.
    """
    if len({member.weight for member in members.all}) > 1:
        raise UsageError("multi_probe: one point a node cannot show weights. Use ConsistentHashing or Rendezvous.")
    return ConsistentHashing(members, virtual_nodes=1, probes=probes)
