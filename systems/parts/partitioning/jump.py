"""Jump consistent hashing: nearly perfect balance without memory, for nodes that join and leave only at the end of a list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np

from harness.model.errors import UsageError
from systems.parts.partitioning.hashing import Hashes, mixed
from systems.parts.partitioning.members import Members
from systems.parts.partitioning.placement import HashPlacement, Numbers

_FACTOR: Final = 2862933555777941757
_MASK: Final = (1 << 64) - 1


@dataclass(frozen=True)
class Jump(HashPlacement):
    """A key jumps through the buckets that it would have moved to as buckets were added, and belongs to the last one.

    J. Lamping and E. Veach, "A fast, minimal memory, consistent hash algorithm", 2014. Buckets have numbers, not names: the
    order in which nodes joined is part of the placement, only the last node can be removed, and all have the same weight.
    """

    joined: tuple[str, ...]
    """The nodes' names in the order in which they joined."""
    members: Members = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "members", Members.named(*self.joined))

    def added(self, *names: str) -> Jump:
        """The placement with more nodes."""
        return Jump((*self.joined, *names))

    def removed(self, name: str) -> Jump:
        """The placement without the node that joined last. Raises `UsageError` for any other node."""
        if self.joined[-1:] != (name,):
            last = f" That is {self.joined[-1]!r}." if self.joined else ""
            raise UsageError(f"Jump can remove only the node that joined last, not {name!r}.{last} Use ConsistentHashing.")
        return Jump(self.joined[:-1])

    def with_members(self, members: Members) -> Jump:
        """New members join at the end, in the order of their names; members that leave must have joined last."""
        jump = self
        for name in reversed(self.joined):
            if name not in members.names:
                jump = jump.removed(name)
        return jump.added(*(name for name in members.names if name not in self.joined))

    def number_of(self, hashed: int) -> int:
        return self._numbers[bucket_of(hashed, len(self.joined))]

    def numbers_of(self, hashes: Hashes) -> Numbers:
        return np.array(self._numbers)[buckets_of(hashes, len(self.joined))]

    def preference(self, hashed: int) -> Iterator[int]:
        """Further members come from other hashes of the key."""
        seen: set[int] = set()
        again = 0
        while len(seen) < len(self.joined):
            bucket = bucket_of(mixed(hashed, again) if again else hashed, len(self.joined))
            again += 1
            if bucket not in seen:
                seen.add(bucket)
                yield self._numbers[bucket]

    @cached_property
    def _numbers(self) -> Sequence[int]:
        """By bucket, the member's position among all members."""
        return [self.members.number(name) for name in self.joined]


def bucket_of(hashed: int, buckets: int) -> int:
    """The bucket of a hash, from 0 to `buckets` - 1."""
    bucket, after = -1, 0
    while after < buckets:
        bucket = after
        hashed = (hashed * _FACTOR + 1) & _MASK
        after = int((bucket + 1) * ((1 << 31) / ((hashed >> 33) + 1)))
    return bucket


def buckets_of(hashes: Hashes, buckets: int) -> Numbers:
    """The bucket of each hash."""
    bucket = np.zeros(len(hashes), np.int64)
    at, hashed = np.arange(len(hashes)), hashes.copy()
    while len(at):
        with np.errstate(over="ignore"):
            hashed = hashed * np.uint64(_FACTOR) + np.uint64(1)
        divisor = ((hashed >> np.uint64(33)) + np.uint64(1)).astype(np.float64)
        after = ((bucket[at] + 1) * (float(1 << 31) / divisor)).astype(np.int64)
        goes_on = after < buckets
        at, hashed = at[goes_on], hashed[goes_on]
        bucket[at] = after[goes_on]
    return bucket
