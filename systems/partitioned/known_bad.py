"""The broken parts of the partitioned store's known bugs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from systems.partitioned.partition_map import Partition, PartitionMap, position
from systems.partitioned.placing import Owners, placed
from systems.parts.partitioning.hashing import key_hash
from systems.parts.partitioning.members import Member
from systems.parts.partitioning.ranges import KeyRange


def salted_position(now: PartitionMap, key: str, node: str) -> str:
    """A hash that differs between processes, like Python's hash of strings."""
    return f"{key_hash(node + key):016x}:{key}" if now.method != "range" else position(now.method, key)


def placed_modulo(before: PartitionMap, members: tuple[Member, ...]) -> list[Owners]:
    names = sorted(member.name for member in members)
    return [
        tuple(names[(number + step) % len(names)] for step in range(before.replicas))
        for number in range(len(before.partitions))
    ]


def placed_with_ghosts(before: PartitionMap, members: tuple[Member, ...]) -> list[Owners]:
    """A node that leaves keeps every other one of its partitions."""
    after, gone = placed(before, members), set(before.names) - {member.name for member in members}
    return [
        one.placed if number % 2 == 0 and set(one.placed) & gone else owners
        for number, (one, owners) in enumerate(zip(before.partitions, after, strict=True))
    ]


def placed_in_any_zone(before: PartitionMap, members: tuple[Member, ...]) -> list[Owners]:
    return placed(before, tuple(replace(member, zone="") for member in members))


def placed_without_weights(before: PartitionMap, members: tuple[Member, ...]) -> list[Owners]:
    return placed(before, tuple(replace(member, weight=1.0) for member in members))


def old_and_new_owner(partition: Partition) -> tuple[str, ...]:
    return (*partition.owners[:1], *partition.target[:1])


def lets_go_at_once(partition: Partition, node: str) -> bool:
    return node not in (partition.target or partition.owners)


def after_the_first(low: str) -> str:
    """The beginning of the partition, where a key may be."""
    return low


def cut_at_the_end(hot: KeyRange, loads: Mapping[str, float]) -> str | None:
    keys = sorted(key for key in loads if key in hot)
    return keys[-1] if len(keys) > 1 and keys[-1] != hot.low else None
