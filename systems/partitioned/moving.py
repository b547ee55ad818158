"""The move protocol: how one map follows another, as pure functions without I/O or time.

A partition moves from its owners A to others, B, through an epoch in which it has both:

    held by A  ──begin──>  held by A and B  ──finish──>  held by B
                                  └────────roll back────>  held by A

Every operation needs quorums (see `protocol`): a majority of A while A holds the partition; a majority of each while A and B
do. A node takes part only if it knows the partition under exactly the epoch of the request, and never goes back to an earlier
epoch: it has the map on its disk before it answers under it. As soon as the move begins, each arriving node copies the
partition from a majority of A, whose nodes hand nothing out before they have installed the map in which the move began. When
all arriving nodes have their copies, the coordinator finishes the move.

Why no acknowledged write is lost, and no read is stale:

1. Two consecutive epochs share a group of which both need a majority: A when a move begins and when it is rolled back, B when
   it finishes. So the operations of each find what the other has stored, in either order; it does no harm if nodes learn of an
   epoch at different times.
2. Two epochs that share no group, that of A alone and that of B alone, are never both in use. The copy was read from a majority
   of A, and none of these nodes takes part in the epoch of A alone any more. So no operation of that epoch can complete after
   the copy was read, because it needs one of them; and what completed before is on a majority of A, and so in the copy of each
   arriving node. Members of A that stay in B need no copy: if k nodes are replaced, then at least a majority less k of those
   that stay hold what a majority of A holds, and with the k copies that is a majority of B.
3. By induction, when an epoch begins, no operation can complete in any epoch that shares no group with it: such an epoch lies
   before the last finished move, and 2 rules it out.
4. A copy never replaces anything newer: entries have versions, and a node keeps the newest. What a node still has from an
   earlier time is older than what it receives, including deletes, which are entries like any other.
5. A map is on the coordinator's disk before any node learns of it, so no epoch stands for two maps. If the coordinator dies,
   moves stop, and nodes keep answering clients; after a restart it continues from its map.

In each epoch one node answers clients for a key: the first of the owners. If that node seems to be dead, another one becomes
the first in an epoch of the same groups. So a wrong suspicion is safe. A node whose disk fails takes over no newer epoch: it
goes on under the one that it knows, and another node becomes the first where the epoch changes.

The steps from joint majorities to the new ones follow D. Ongaro and J. Ousterhout, "In Search of an Understandable Consensus
Algorithm", USENIX ATC 2014, section 6; registers that survive a change of their replicas follow N. Lynch and A. Shvartsman,
"RAMBO", DISC 2002. The hand-over of one of many partitions under load follows G. DeCandia et al., "Dynamo", SOSP 2007, section
6.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from harness.model.errors import UsageError, hint
from systems.partitioned.partition_map import Method, Partition, PartitionMap, even_lows, majority
from systems.partitioned.placing import Place, placed
from systems.parts.partitioning.members import Member, Members

Owners = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the coordinator currently knows of the nodes."""

    down: frozenset[str] = frozenset()
    """Nodes that have not answered for a while."""
    failing: frozenset[str] = frozenset()
    """Nodes whose disks fail."""
    epochs: Mapping[str, int] = field(default_factory=dict)
    """The epoch that each node uses."""
    copied: Mapping[tuple[str, int], frozenset[str]] = field(default_factory=dict)
    """By partition and move, the nodes that have a complete copy."""
    resting: frozenset[str] = frozenset()
    """Partitions whose moves were just rolled back."""


def first_map(
    method: Method, members: Sequence[Member], replicas: int, partitions: int, boundaries: Sequence[str], place: Place = placed
) -> PartitionMap:
    """The map of epoch 1. Raises `UsageError` if there is none with these members."""
    lows = ["", *boundaries] if method == "range" else even_lows(partitions)
    if list(lows) != sorted(set(lows)):
        raise UsageError(f"Boundaries {tuple(boundaries)!r}: each must be above the one before it, and none is empty.")
    empty = tuple(Partition(low, 1, (), ()) for low in lows)
    bare = PartitionMap(1, method, replicas, tuple(members), empty)
    owners = place(bare, bare.members)
    return msgspec.structs.replace(
        bare,
        partitions=tuple(
            msgspec.structs.replace(one, owners=those, placed=those) for one, those in zip(empty, owners, strict=True)
        ),
    )


def joined(before: PartitionMap, member: Member, place: Place = placed) -> PartitionMap:
    """A map with one more member. Raises `UsageError` if the node already is one."""
    Members(before.members).added(member)
    return _replaced_members(before, (*before.members, member), place)


def left(before: PartitionMap, name: str, place: Place = placed) -> PartitionMap:
    """A map without a member. Raises `UsageError` if there is none of that name, or too few remain."""
    if name not in before.names:
        raise UsageError(f"There is no member {name!r} that could leave. {hint(name, before.names)}")
    return _replaced_members(before, tuple(one for one in before.members if one.name != name), place)


def _replaced_members(before: PartitionMap, members: tuple[Member, ...], place: Place) -> PartitionMap:
    owners = place(before, members)
    partitions = (msgspec.structs.replace(one, placed=those) for one, those in zip(before.partitions, owners, strict=True))
    return msgspec.structs.replace(before, epoch=before.epoch + 1, members=members, partitions=tuple(partitions))


def advanced(before: PartitionMap, seen: Seen, at_once: int) -> PartitionMap | None:
    """The next map: it finishes completed moves, rolls back those that cannot go on, and begins others.

    At most `at_once` partitions move at a time. None if there is nothing to do.
    """
    epoch = before.epoch + 1
    partitions = [_ended(one, epoch, seen) for one in before.partitions]
    free = at_once - sum(bool(one.target) for one in partitions)
    for number, one in enumerate(partitions):
        if free > 0 and one.epoch != epoch and _may_begin(one, seen):
            partitions[number] = msgspec.structs.replace(one, epoch=epoch, target=one.placed, move=epoch)
            free -= 1
    after = tuple(_led(one, epoch, seen) for one in partitions)
    return None if after == before.partitions else msgspec.structs.replace(before, epoch=epoch, partitions=after)


def _ended(one: Partition, epoch: int, seen: Seen) -> Partition:
    """A partition after its move, if that cannot go on or is complete; otherwise the same partition."""
    if not one.target:
        return one
    if set(one.arriving) & (seen.down | seen.failing):
        return msgspec.structs.replace(one, epoch=epoch, target=(), move=0)
    if set(one.arriving) <= seen.copied.get((one.low, one.move), frozenset()):
        return msgspec.structs.replace(one, epoch=epoch, owners=one.target, target=(), move=0)
    return one


def _may_begin(one: Partition, seen: Seen) -> bool:
    arriving = set(one.placed) - set(one.owners)
    able = [name for name in one.owners if name not in seen.down | seen.failing]
    return bool(
        not one.is_placed
        and not one.target
        and one.low not in seen.resting
        and len(one.placed) == len(one.owners)
        and not arriving & (seen.down | seen.failing)
        and len(able) >= majority(one.owners)
    )


def _led(one: Partition, epoch: int, seen: Seen) -> Partition:
    """A partition whose first owner answers, preferably the one that is placed first."""
    wanted, first = one.target or one.placed, one.owners[0]

    def rank(name: str) -> tuple[bool, bool, int]:
        return name in seen.down, name in seen.failing, wanted.index(name) if name in wanted else len(wanted)

    # While it moves, the old owner keeps answering. One whose disk fails does so under the epoch that it knows.
    stays = seen.epochs.get(first, 0) >= one.epoch if first in seen.failing else bool(one.target)
    if stays and first not in seen.down:
        return one
    owners = tuple(sorted(one.owners, key=rank))
    if owners[0] == first:
        return one
    return msgspec.structs.replace(one, epoch=epoch, owners=owners)


def split(before: PartitionMap, at: str, second: Owners | None = None) -> PartitionMap:
    """Cut the partition that contains the position `at` in two there, and place the second part with `second`.

    Raises `UsageError` if the partition is moving, or already begins there.
    """
    number = before.number_at(at)
    cut, epoch = before.partitions[number], before.epoch + 1
    if cut.low == at:
        raise UsageError(f"A partition begins with {at!r} already. Split at a position within one.")
    if cut.target:
        raise UsageError(f"The partition that begins with {cut.low!r} moves at the moment. Ask again when it has moved.")
    parts = (
        msgspec.structs.replace(cut, epoch=epoch),
        msgspec.structs.replace(cut, low=at, epoch=epoch, placed=second or cut.placed),
    )
    return _patched(before, number, number + 1, parts)


def merged(before: PartitionMap, at: str) -> PartitionMap:
    """Merge the partition that begins with `at` into the one before it.

    Raises `UsageError` unless both have the same owners and neither is moving.
    """
    number = before.number_at(at)
    second = before.partitions[number]
    if not number or second.low != at:
        raise UsageError(f"No two partitions meet at {at!r}. {hint(at, _lows(before.partitions[1:]))}")
    first = before.partitions[number - 1]
    if first.target or second.target or first.owners != second.owners:
        raise UsageError(
            f"The partitions that meet at {at!r} are with {', '.join(first.owners)} and {', '.join(second.owners)}, or move."
            " Only neighbours with the same owners can be merged."
        )
    joint = msgspec.structs.replace(first, epoch=before.epoch + 1)
    return _patched(before, number - 1, number + 1, (joint,))


def _patched(before: PartitionMap, begin: int, end: int, parts: Sequence[Partition]) -> PartitionMap:
    partitions = (*before.partitions[:begin], *parts, *before.partitions[end:])
    return msgspec.structs.replace(before, epoch=before.epoch + 1, partitions=partitions)


def _lows(partitions: Iterable[Partition]) -> list[str]:
    return [one.low for one in partitions]
