"""What all ways to divide keys have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from systems.parts.partitioning.hashing import Hashes, Key, key_hash, key_hashes
from systems.parts.partitioning.members import Members

Numbers = NDArray[np.int64]
"""Members, by their position among all."""


class HashPlacement(ABC):
    """Keys are divided among members by their hashes. Immutable: another set of members is another placement."""

    members: Members

    @abstractmethod
    def with_members(self, members: Members) -> HashPlacement:
        """The same way for other members."""

    @abstractmethod
    def preference(self, hashed: int) -> Iterator[int]:
        """Every member once, the owner of this hash first, then who owns it if those before are removed."""

    @abstractmethod
    def number_of(self, hashed: int) -> int:
        """The owner of a hash; as the first of `preference`, and quicker."""

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
