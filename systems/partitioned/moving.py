"""How one map follows another: the move protocol as pure functions, without I/O or time.

A partition moves from its owners A to others, B, by way of an epoch in which it has both:

    held by A  ──begin──>  held by A and B  ──finish──>  held by B
                                  └────────roll back────>  held by A

Every operation is one of quorums (see `protocol`): held by A, it needs a majority of A; held by A and B, a majority of each.
A node takes part only if it has the partition under the very epoch that it is asked in, and never goes back to an earlier one:
it has the map on its disk before it answers under it. As soon as the move has begun, each arriving node copies the partition
from a majority of A, whose nodes hand nothing out before they have taken over the map in which the move began. When all have
their copy, the coordinator finishes the move.

Why no acknowledged write is lost, and no read is stale:

1. Two epochs that follow each other share a group of which both need a majority: A at the beginning of a move and when it is
   rolled back, B when it finishes. So whatever one of them has stored, the other one's operations find, in either order; it
   does no harm that nodes learn of an epoch at different times.
2. Epochs that share no group, that of A alone and that of B alone, are never both in use. The copy was read from a majority of
   A, none of which takes part in the epoch of A alone any more. So no operation of that epoch can end after the copy was read,
   for it needs one of them; and what had ended before is on a majority of A, and so in the copy of each arriving node. Members
   of A that stay in B need no copy: if k nodes are replaced, what a majority of A holds, at least a majority less k of those
   that stay hold, and with the k copies that is a majority of B.
3. By induction, when an epoch begins, no operation can end in any epoch that shares no group with it: such an epoch lies
   before the last move that finished, and was shut out by 2.
4. A copy never replaces what is newer: entries have versions, and a node keeps the newest. What a node still has from an
   earlier time is older than what it is sent, deletions included, which are entries like any other.
5. A map is on the coordinator's disk before anyone is told of it, so that no epoch stands for two maps. If the coordinator
   dies, nothing moves on, and everything goes on being answered; started again, it goes on from its map.

One node answers clients for a key in an epoch: the first of the owners. That another one becomes the first, because that one
seems to be dead, is an epoch of the same groups. So it may be a mistake, and is safe all the same.

The steps from joint majorities to the new ones are those of D. Ongaro and J. Ousterhout, "In Search of an Understandable
Consensus Algorithm", USENIX ATC 2014, section 6; registers that outlive a change of their replicas are those of N. Lynch and
A. Shvartsman, "RAMBO", DISC 2002. The hand-over of one of many partitions under load is that of G. DeCandia et al., "Dynamo",
SOSP 2007, section 6.2.
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
    """What the coordinator knows of the nodes at the moment."""

    down: frozenset[str] = frozenset()
    """Who has not answered for a while."""
    failing: frozenset[str] = frozenset()
    """Whose disk does not take what it is given."""
    copied: Mapping[tuple[str, int], frozenset[str]] = field(default_factory=dict)
    """By partition and move, who has its copy."""
    resting: frozenset[str] = frozenset()
    """Partitions whose move was rolled back just now."""


def first_map(
    method: Method, members: Sequence[Member], replicas: int, partitions: int, boundaries: Sequence[str], place: Place = placed
) -> PartitionMap:
    """The map of epoch 1. Raises `UsageError` if it cannot be made of these members."""
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
    """With one more member. Raises `UsageError` if it is one already."""
    Members(before.members).added(member)
    return _replaced_members(before, (*before.members, member), place)


def left(before: PartitionMap, name: str, place: Place = placed) -> PartitionMap:
    """Without a member. Raises `UsageError` if there is none of that name, or too few are left."""
    if name not in before.names:
        raise UsageError(f"There is no member {name!r} that could leave. {hint(name, before.names)}")
    return _replaced_members(before, tuple(one for one in before.members if one.name != name), place)


def _replaced_members(before: PartitionMap, members: tuple[Member, ...], place: Place) -> PartitionMap:
    owners = place(before, members)
    partitions = (msgspec.structs.replace(one, placed=those) for one, those in zip(before.partitions, owners, strict=True))
    return msgspec.structs.replace(before, epoch=before.epoch + 1, members=members, partitions=tuple(partitions))


def advanced(before: PartitionMap, seen: Seen, at_once: int) -> PartitionMap | None:
    """The next map: every move that is done is finished, every one that cannot go on is rolled back, and others begin.

    At most `at_once` partitions move at a time. None if nothing is to be done.
    """
    epoch = before.epoch + 1
    partitions = [_ended(one, epoch, seen) for one in before.partitions]
    free = at_once - sum(bool(one.target) for one in partitions)
    for number, one in enumerate(partitions):
        if free > 0 and one.epoch != epoch and _may_begin(one, seen):
            partitions[number] = msgspec.structs.replace(one, epoch=epoch, target=one.placed, move=epoch)
            free -= 1
    after = tuple(_led(one, epoch, seen.down) for one in partitions)
    return None if after == before.partitions else msgspec.structs.replace(before, epoch=epoch, partitions=after)


def _ended(one: Partition, epoch: int, seen: Seen) -> Partition:
    """A partition whose move is finished or rolled back, if it is time for that."""
    if not one.target:
        return one
    if set(one.arriving) <= seen.copied.get((one.low, one.move), frozenset()):
        return msgspec.structs.replace(one, epoch=epoch, owners=one.target, target=(), move=0)
    if set(one.arriving) & (seen.down | seen.failing):
        return msgspec.structs.replace(one, epoch=epoch, target=(), move=0)
    return one


def _may_begin(one: Partition, seen: Seen) -> bool:
    arriving = set(one.placed) - set(one.owners)
    alive = [name for name in one.owners if name not in seen.down]
    return bool(
        not one.is_placed
        and not one.target
        and one.low not in seen.resting
        and len(one.placed) == len(one.owners)
        and not arriving & (seen.down | seen.failing)
        and len(alive) >= majority(one.owners)
    )


def _led(one: Partition, epoch: int, down: frozenset[str]) -> Partition:
    """With an owner in front that answers, preferably the one that is meant to be there."""
    wanted = one.target or one.placed

    def rank(name: str) -> tuple[bool, int]:
        return name in down, wanted.index(name) if name in wanted else len(wanted)

    if one.target and one.owners[0] not in down:  # as long as it moves, the old owner goes on
        return one
    owners = tuple(sorted(one.owners, key=rank))
    if owners[0] == one.owners[0]:
        return one
    return msgspec.structs.replace(one, epoch=epoch, owners=owners)


def split(before: PartitionMap, at: str, second: Owners | None = None) -> PartitionMap:
    """Cut the partition that holds the position `at` in two there; the second one is meant to be with `second`.

    Raises `UsageError` if it moves at the moment, or begins there already.
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
    """Join the partition that begins with `at` to the one before it.

    Raises `UsageError` unless both have the same owners and do not move.
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
