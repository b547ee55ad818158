"""Which nodes hold which keys: a map with a number, its epoch. A value without I/O; `moving` makes the next one from it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Final, Literal

import msgspec

from systems.parts.partitioning.hashing import BITS, key_hash
from systems.parts.partitioning.members import Member

Method = Literal["range", "slots", "consistent", "bounded", "rendezvous", "jump", "multi-probe"]

SEPARATOR: Final = ":"


class Partition(msgspec.Struct, frozen=True):
    """The keys with positions from `low` on, up to the next partition's `low`, and the nodes that hold them."""

    low: str
    epoch: int
    """The epoch in which this entry last changed. Requests about a key name it, so that both nodes mean the same entry."""
    owners: tuple[str, ...]
    """The replicas. The first one answers clients."""
    placed: tuple[str, ...]
    """Where the replicas should be. If these are other nodes than the owners, the partition has yet to move."""
    target: tuple[str, ...] = ()
    """The nodes that are about to become the owners; empty if it does not move."""
    move: int = 0
    """The epoch in which its move began, which identifies the move; 0 if it does not move."""

    @property
    def arriving(self) -> tuple[str, ...]:
        """The nodes that need a copy before the move is over."""
        return tuple(name for name in self.target if name not in self.owners)

    @property
    def is_placed(self) -> bool:
        return not self.target and set(self.owners) == set(self.placed)


class PartitionMap(msgspec.Struct, frozen=True, dict=True):
    """All keys, divided into partitions without gaps, in the order of their positions."""

    epoch: int
    method: Method
    replicas: int
    members: tuple[Member, ...]
    """The nodes that should hold keys, in the order in which they joined."""
    partitions: tuple[Partition, ...]

    def position(self, key: str) -> str:
        """The position of a key in the order that is divided: the key itself for ranges, else its hash."""
        return position(self.method, key)

    def partition_at(self, place: str) -> Partition:
        """The partition of a position."""
        return self.partitions[bisect_right(self._lows, place) - 1]

    def number_at(self, place: str) -> int:
        return bisect_right(self._lows, place) - 1

    def high_of(self, number: int) -> str | None:
        """Where a partition ends; None for the last one."""
        return self.partitions[number + 1].low if number + 1 < len(self.partitions) else None

    def bounded(self) -> Iterator[tuple[Partition, str | None]]:
        """Each partition with where it ends."""
        for number, partition in enumerate(self.partitions):
            yield partition, self.high_of(number)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(member.name for member in self.members)

    @property
    def holders(self) -> tuple[str, ...]:
        """Members, and those that have left and still hold something."""
        held = {name for one in self.partitions for name in (*one.owners, *one.target)}
        return tuple(dict.fromkeys([*self.names, *sorted(held)]))

    @property
    def moving(self) -> tuple[Partition, ...]:
        return tuple(one for one in self.partitions if one.target)

    @property
    def settled(self) -> bool:
        """Whether every partition is where it should be."""
        return all(one.is_placed for one in self.partitions)

    @cached_property
    def _lows(self) -> Sequence[str]:
        return [one.low for one in self.partitions]


def position(method: Method, key: str) -> str:
    """The position of a key in the order that partitions divide. No two keys have the same one."""
    return key if method == "range" else f"{key_hash(key):016x}{SEPARATOR}{key}"


def even_lows(count: int) -> list[str]:
    """The positions at which this many partitions of equal size begin, if keys are divided by hash."""
    return ["", *(f"{(number << BITS) // count:016x}" for number in range(1, count))]


def majority(names: Sequence[str]) -> int:
    return len(names) // 2 + 1
