"""Consistent hashing with bounded loads: no node gets much more than its share, whatever the keys are."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

from harness.model.errors import UsageError
from systems.parts.partitioning.hashing import Key, key_hash
from systems.parts.partitioning.placement import HashPlacement


class BoundedLoads:
    """Assigns each key to its owner or, if that is full, to the next node in its preference.

    V. Mirrokni, M. Thorup and M. Zadimoghaddam, "Consistent hashing with bounded loads", SODA 2018: with a bound of 1 + e
    times the mean, a change of one member or key moves O(1/e²) keys. A key is one unit of load, such as a request in flight:
    `take` it, and `give_back` when it is done. Hot keys spread over several nodes.
    """

    def __init__(self, placement: HashPlacement, *, bound: float = 1.25) -> None:
        """`bound` is the most that a node may have, in multiples of its share by weight."""
        if not (math.isfinite(bound) and bound > 1):
            raise UsageError(f"BoundedLoads(bound={bound!r}): must be above 1, such as 1.25.")
        placement.members.check_any()
        self._placement = placement
        self._bound = bound
        self._loads: Counter[str] = Counter()

    @property
    def loads(self) -> Mapping[str, int]:
        """Each member's current load."""
        return {name: self._loads[name] for name in self._placement.members.names}

    def capacity(self, name: str) -> int:
        """The highest load that a member may have once one more key is taken."""
        members = self._placement.members
        share = members.all[members.number(name)].weight / members.weight
        return math.ceil(self._bound * share * (self._loads.total() + 1))

    def take(self, key: Key) -> str:
        """Take a key; returns the node that gets it. There always is one: the sum of the capacities exceeds the load."""
        names = self._placement.members.names
        for number in self._placement.preference(key_hash(key)):
            if self._loads[names[number]] < self.capacity(names[number]):
                self._loads[names[number]] += 1
                return names[number]
        raise AssertionError("all members are full, so their capacities are less than the load")

    def give_back(self, name: str) -> None:
        """Give back a key that this node got. Raises `UsageError` if it has none."""
        self._placement.members.number(name)
        if not self._loads[name]:
            raise UsageError(f"{name!r} has no key to give back.")
        self._loads[name] -= 1
