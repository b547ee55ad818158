"""What the coordinator reports of a plan, for checkers and for the report."""

from __future__ import annotations

from systems.partitioned.partition_map import PartitionMap


def told_members(before: PartitionMap | None, now: PartitionMap, why: str) -> dict[str, object]:
    """The detail of a `planned` event, see `harness.model.partition_events`."""
    return {
        "epoch": now.epoch,
        "why": why,
        "members": {member.name: member.weight for member in now.members},
        "copies": sum(len(one.placed) for one in now.partitions),
        "moves": 0 if before is None else moves(before, now),
        "ideal": 0.0 if before is None else None if now.method == "bounded" else ideal(before, now),
    }


def moves(before: PartitionMap, now: PartitionMap) -> int:
    """The number of copies of partitions that are newly placed with a node."""
    return sum(len(set(one.placed) - set(before.partition_at(one.low).placed)) for one in now.partitions)


def ideal(before: PartitionMap, now: PartitionMap) -> float:
    """The least share of all copies that has to move to give each member its share by weight."""
    total_before = sum(member.weight for member in before.members)
    total_now = sum(member.weight for member in now.members)
    had = {member.name: member.weight / total_before for member in before.members}
    return sum(max(0.0, member.weight / total_now - had.get(member.name, 0.0)) for member in now.members)
