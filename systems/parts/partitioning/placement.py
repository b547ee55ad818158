"""The common interface of placements by hash."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from systems.parts.partitioning.hashing import Hashes, Key, key_hash, key_hashes
from systems.parts.partitioning.members import Members

Numbers = NDArray[np.int64]
"""Members as positions among all members."""


class HashPlacement(ABC):
    """Partitions keys among members by hash. Immutable: another set of members is another placement."""

    members: Members

    @abstractmethod
    def with_members(self, members: Members) -> HashPlacement:
        """The same kind of placement for other members."""

    @abstractmethod
    def preference(self, hashed: int) -> Iterator[int]:
        """Every member once: first the owner of this hash, then each time the owner if those before it were removed."""

    @abstractmethod
    def number_of(self, hashed: int) -> int:
        """The owner of a hash: the first of `preference`, but faster."""

    @abstractmethod
    def numbers_of(self, hashes: Hashes) -> Numbers:
        """The owner of each hash."""

    def owner(self, key: Key) -> str:
        """The node that owns a key. Raises `UsageError` if there is no node."""
        self.members.check_any()
        return self.members.names[self.number_of(key_hash(key))]

    def owners(self, key: Key, count: int) -> tuple[str, ...]:
        """The key's owner and the next ones, all distinct and in distinct zones, for its replicas."""
        self.members.check_any()
        return self.members.chosen(self.preference(key_hash(key)), count)

    def owners_of(self, keys: Sequence[Key] | NDArray[np.integer]) -> Numbers:
        """The owner of each key, as its position in `members.names`."""
        self.members.check_any()
        return self.numbers_of(key_hashes(keys))
