"""Where to place partitions: by the methods of `systems.parts.partitioning`, and by load. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from harness.model.errors import UsageError
from systems.partitioned.partition_map import Method, Partition, PartitionMap
from systems.parts.partitioning.bounded import BoundedLoads
from systems.parts.partitioning.consistent import ConsistentHashing
from systems.parts.partitioning.hashing import key_hash
from systems.parts.partitioning.jump import Jump
from systems.parts.partitioning.members import Member, Members
from systems.parts.partitioning.multi_probe import multi_probe
from systems.parts.partitioning.placement import HashPlacement
from systems.parts.partitioning.ranges import KeyRange, Ranges
from systems.parts.partitioning.rendezvous import Rendezvous
from systems.parts.partitioning.slots import HashSlots

Owners = tuple[str, ...]
Place = Callable[[PartitionMap, tuple[Member, ...]], list[Owners]]
"""Places each partition of a map with these members."""

BOUND: Final = 1.25
"""The most partitions, or load, that a node may have, in multiples of its share by weight."""
_WORTH_IT: Final = 0.98
"""A move because of load has to reduce the load of the fullest node to this share or less."""


def placed(before: PartitionMap, members: tuple[Member, ...]) -> list[Owners]:
    """The owners at which the map's method places each partition with these members.

    Raises `UsageError` if there are fewer members, or zones, than replicas.
    """
    if before.method == "range":
        return _ranges(before, members)
    keys = [partition.low or "first" for partition in before.partitions]
    placement = _placement(before.method, members)
    if before.method != "bounded":
        return [placement.owners(key, before.replicas) for key in keys]
    loads = BoundedLoads(placement, bound=BOUND)
    return [_first(loads.take(key), placement, key, before.replicas) for key in keys]


def _placement(method: Method, members: tuple[Member, ...]) -> HashPlacement:
    among = Members(members)
    among.check_any("partition")
    match method:
        case "slots":
            return HashSlots(among)
        case "rendezvous":
            return Rendezvous(among)
        case "multi-probe":
            return multi_probe(among)
        case "jump":
            if len({(member.weight, member.zone) for member in members}) > 1:
                raise UsageError("The method 'jump' knows no weights and no zones. Use 'consistent' or 'rendezvous'.")
            return Jump(tuple(member.name for member in members))
        case _:
            return ConsistentHashing(among)


def _first(name: str, placement: HashPlacement, key: str, count: int) -> Owners:
    """A chosen node, followed by the next ones in the key's order of preference for further replicas."""
    members = placement.members
    chosen = members.number(name)
    rest = (number for number in placement.preference(key_hash(key)) if number != chosen)
    return members.chosen([chosen, *rest], count)


def _ranges(before: PartitionMap, members: tuple[Member, ...]) -> list[Owners]:
    after = Members(members)
    if any(partition.placed for partition in before.partitions):
        then = Members(before.members)
        cut = tuple(KeyRange(partition.low, high, partition.placed[0]) for partition, high in before.bounded())
        ranges = Ranges(then, cut).with_members(after)
    else:
        ranges = Ranges.at(after, *(partition.low for partition in before.partitions[1:]))
    return [ranges.owners(partition.low, before.replicas) for partition in before.partitions]


def rebalanced(before: PartitionMap, loads: Mapping[str, float], bound: float = BOUND) -> PartitionMap | None:
    """The same map with some partitions placed elsewhere, so that no node has more than `bound` times its share of the load.

    `loads` is by partition. A node that has too much gives away the partition, and to the node, that lower the load of the
    fuller of the two most, as long as that is worth it; None if there is nothing to do. A partition that alone exceeds the
    bound stays, and its node gives others away. The bound is that of consistent hashing with bounded loads
    (`systems.parts.partitioning.bounded`), for keys with unequal loads.
    """
    placed_now = {one.low: one.placed for one in before.partitions}
    changed: dict[str, Owners] = {}
    stuck: set[str] = set()
    while len(changed) < len(placed_now):
        factors = _factors(before, placed_now, loads)
        fuller = [name for name in factors if factors[name] > bound and name not in stuck]
        if not fuller:
            break
        fullest = max(fuller, key=lambda name: factors[name])
        best, best_factor = None, factors[fullest] * _WORTH_IT
        for low, owners in placed_now.items():
            if owners[0] != fullest or low in changed:
                continue
            for taker in factors:
                if taker != fullest:
                    tried = _factors(before, {**placed_now, low: (taker,)}, loads)
                    if (factor := max(tried[fullest], tried[taker])) < best_factor:
                        best, best_factor = (low, taker), factor
        if best is None:
            stuck.add(fullest)
            continue
        low, taker = best
        changed[low] = placed_now[low] = handed(before, placed_now[low], taker)
    return _with(before, changed) if changed else None


def _factors(before: PartitionMap, owners: Mapping[str, Owners], loads: Mapping[str, float]) -> dict[str, float]:
    """The load of each member in multiples of its share; empty if there is no load."""
    total, weight = sum(loads.values()), sum(member.weight for member in before.members)
    has = {member.name: 0.0 for member in before.members}
    for low, those in owners.items():
        if those[0] in has:
            has[those[0]] += loads.get(low, 0.0)
    return {member.name: has[member.name] / (total * member.weight / weight) for member in before.members} if total else {}


def handed(before: PartitionMap, owners: Owners, taker: str) -> Owners:
    """The replicas with another first one: the old first one goes, unless the new one was among them."""
    if taker in owners:
        return (taker, *(name for name in owners if name != taker))
    kept = [taker, *owners[1:]]
    zones = {member.name: member.zone for member in before.members}
    if zones[taker]:  # the replica in the taker's zone makes room, and the old first one may stay
        kept = [taker, *(name for name in owners if zones.get(name) != zones[taker])]
    return tuple(kept[: len(owners)])


def _with(before: PartitionMap, changed: Mapping[str, Owners]) -> PartitionMap:
    """The map of the next epoch, with some partitions placed elsewhere."""
    return msgspec.structs.replace(
        before,
        epoch=before.epoch + 1,
        partitions=tuple(
            msgspec.structs.replace(one, placed=changed[one.low]) if one.low in changed else one for one in before.partitions
        ),
    )


def hottest(before: PartitionMap, loads: Mapping[str, float], bound: float = BOUND) -> Partition | None:
    """The range with the most load on the fullest node, if that has more than `bound` times its share."""
    factors = _factors(before, {one.low: one.placed for one in before.partitions}, loads)
    if before.method != "range" or not factors:
        return None
    fullest = max(factors, key=lambda name: factors[name])
    mine = [one for one in before.partitions if one.placed[0] == fullest and not one.target]
    return max(mine, key=lambda one: loads.get(one.low, 0.0), default=None) if factors[fullest] > bound else None


def coolest(before: PartitionMap, loads: Mapping[str, float], besides: Sequence[str]) -> str | None:
    """The member with the least load for its weight, other than `besides`; None if there is no other."""
    factors = _factors(before, {one.low: one.placed for one in before.partitions}, loads)
    return min((name for name in factors if name not in besides), key=lambda name: (factors[name], name), default=None)
