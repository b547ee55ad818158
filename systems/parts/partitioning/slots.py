"""Hash partitioning into a fixed number of slots that nodes own: a look-up is one access to a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from harness.model.errors import UsageError
from systems.parts.partitioning.hashing import BITS, Hashes, all_mixed, mixed
from systems.parts.partitioning.members import Members
from systems.parts.partitioning.placement import HashPlacement, Numbers
from systems.parts.partitioning.rendezvous import Rendezvous

SLOTS: Final = 16384


@dataclass(frozen=True)
class HashSlots(HashPlacement):
    """A key's hash determines its slot, and nodes own slots, as in Redis Cluster (16,384 of them) or Kafka (partitions).

    Rendezvous hashing decides which node owns a slot, so it depends only on the members, and only slots of nodes that join or
    leave change owners. Plain `hash % nodes` would move nearly every key.
    """

    members: Members
    slots: int = SLOTS
    """A power of two, far above the number of nodes."""

    def __post_init__(self) -> None:
        if self.slots < 2 or self.slots & (self.slots - 1):
            raise UsageError(f"HashSlots(slots={self.slots!r}): a power of two, such as {SLOTS}.")

    def with_members(self, members: Members) -> HashSlots:
        return replace(self, members=members)

    def slot_of(self, hashed: int) -> int:
        return hashed >> self._shift

    def number_of(self, hashed: int) -> int:
        return self._owner_list[hashed >> self._shift]

    def numbers_of(self, hashes: Hashes) -> Numbers:
        owners: Numbers = self._owners[hashes >> np.uint64(self._shift)]
        return owners

    def preference(self, hashed: int) -> Iterator[int]:
        return self._bidding.preference(mixed(self.slot_of(hashed)))

    @property
    def _shift(self) -> int:
        return BITS - (self.slots.bit_length() - 1)

    @cached_property
    def _bidding(self) -> Rendezvous:
        return Rendezvous(self.members)

    @cached_property
    def _owners(self) -> Numbers:
        return self._bidding.numbers_of(all_mixed(np.arange(self.slots, dtype=np.uint64)))

    @cached_property
    def _owner_list(self) -> list[int]:
        return [int(owner) for owner in self._owners]
