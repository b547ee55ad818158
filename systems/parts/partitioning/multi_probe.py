"""Multi-probe consistent hashing: one point a node, and many places at which a key looks for the nearest one."""

from __future__ import annotations

from typing import Final

from harness.model.errors import UsageError
from systems.parts.partitioning.consistent import ConsistentHashing
from systems.parts.partitioning.members import Members

PROBES: Final = 21
"""The fullest node then has about 1.05 times the mean, by the paper's table 1."""


def multi_probe(members: Members, probes: int = PROBES) -> ConsistentHashing:
    """A ring that needs memory for as many points as there are nodes, and time for `probes` look-ups a key.

    B. Appleton and M. O'Reilly, "Multi-probe consistent hashing", 2015. All nodes have one weight: `UsageError` else.
    """
    if len({member.weight for member in members.all}) > 1:
        raise UsageError("multi_probe: one point a node cannot show weights. Use ConsistentHashing or Rendezvous.")
    return ConsistentHashing(members, virtual_nodes=1, probes=probes)
