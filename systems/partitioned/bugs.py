"""The partitioned store's known bugs. Each replaces one part of what a correct node, coordinator or client runs with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from harness.model.bug import Bug, BugCatalog
from systems.partitioned import known_bad
from systems.partitioned.partition_map import Partition, PartitionMap
from systems.partitioned.placing import Place, placed
from systems.parts.partitioning.ranges import KeyRange, split_point


def _position(now: PartitionMap, key: str, node: str) -> str:
    return now.position(key)


def _first_owner(partition: Partition) -> tuple[str, ...]:
    return partition.owners[:1]


def _lets_go(partition: Partition, node: str) -> bool:
    return node not in partition.owners and node not in partition.target


def _all_of_it(low: str) -> str:
    return ""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The parts that a correct store runs with. A bug has one of them wrong."""

    position: Callable[[PartitionMap, str, str], str] = _position
    """The position of a key, for a node."""
    place: Place = placed
    """Where partitions should be."""
    leaders: Callable[[Partition], tuple[str, ...]] = _first_owner
    """The node that answers clients for a partition."""
    lets_go: Callable[[Partition, str], bool] = _lets_go
    """Whether a node may discard what it holds of a partition."""
    copied_after: Callable[[str], str] = _all_of_it
    """The position after which a copy begins; "": with the partition."""
    cut: Callable[[KeyRange, Mapping[str, float]], str | None] = split_point
    """Where a range is cut that is hot, by the load of its keys."""
    both_groups_take_part: bool = True
    """While a partition moves, an operation needs a majority of its old owners and one of its new owners."""
    epochs_checked: bool = True
    """A node answers for a partition only under the epoch that it knows."""
    copies_are_fenced: bool = True
    """An owner hands a copy out only after it has taken over the map in which the move began."""
    tombstones_move: bool = True
    newest_kept: bool = True
    """A copied entry does not replace a newer one."""
    checksums_checked: bool = True
    synced_before_answer: bool = True
    noted_with_what_was_copied: bool = True
    """How far a copy is, is noted together with what was copied, not before."""
    maps_last: bool = True
    """A node has a map on its disk before it uses it."""
    decisions_last: bool = True
    """The coordinator has a map on its disk before it tells anyone."""
    broken_writes_unknown: bool = True
    """A write that a node gave up after it had begun to store it may have taken effect, and the node says so."""
    maps_refreshed: bool = True
    """A client gets a newer map when a node says that its own is old."""


CORRECT: Final = Rules()

BUGS: Final = BugCatalog(
    CORRECT,
    Bug(
        "old-owner-writes",
        "while a partition moves, writes go only to its old owners",
        Rules(both_groups_take_part=False),
        caught_by=("partitioned/joins", "linearizable"),
    ),
    Bug(
        "both-serve",
        "while a partition moves, both its old and its new owner answer clients",
        Rules(leaders=known_bad.old_and_new_owner),
        caught_by=("partitioned/joins", "one_owner"),
    ),
    Bug(
        "modulo",
        "the coordinator gives partition i to node i modulo the number of nodes",
        Rules(place=known_bad.placed_modulo),
        caught_by=("partitioned/joins", "moved_share"),
    ),
    Bug(
        "salted-hash",
        "each process hashes keys differently, like Python's hash()",
        Rules(position=known_bad.salted_position),
        caught_by=("partitioned/joins", "availability >= 99%"),
    ),
    Bug(
        "epoch-unchecked",
        "a node answers requests of any epoch",
        Rules(epochs_checked=False),
        caught_by=("partitioned/stale_maps", "linearizable"),
    ),
    Bug(
        "copies-unfenced",
        "an owner hands out a copy before it knows of the move, and continues to serve alone",
        Rules(copies_are_fenced=False),
        caught_by=("partitioned/owner_uninformed", "linearizable"),
    ),
    Bug(
        "off-by-one",
        "a copy of a partition leaves out its first key",
        Rules(copied_after=known_bad.after_the_first),
        caught_by=("partitioned/ranges_join", "linearizable"),
    ),
    Bug(
        "no-tombstones",
        "copies leave out tombstones, so a replica that missed a delete brings the value back",
        Rules(tombstones_move=False),
        caught_by=("partitioned/replicas_move", "linearizable"),
    ),
    Bug(
        "last-wins",
        "a node keeps whatever arrives last, so a copy replaces newer writes",
        Rules(newest_kept=False),
        caught_by=("partitioned/jittery_links", "linearizable"),
    ),
    Bug(
        "no-checksum",
        "a node stores data that a link has corrupted",
        Rules(checksums_checked=False),
        caught_by=("partitioned/link_corrupts", "linearizable"),
    ),
    Bug(
        "wrong-offset",
        "a node records the progress of a copy before the data, so after a crash it continues beyond a gap",
        Rules(noted_with_what_was_copied=False),
        caught_by=("partitioned/receiver_killed", "linearizable"),
    ),
    Bug(
        "forgets-early",
        "the old owner discards a partition as soon as its move begins",
        Rules(lets_go=known_bad.lets_go_at_once),
        caught_by=("partitioned/joins", "linearizable"),
    ),
    Bug(
        "no-sync",
        "a node acknowledges copies and writes before they are on the disk",
        Rules(synced_before_answer=False),
        caught_by=("partitioned/power_lost", "linearizable"),
    ),
    Bug(
        "node-forgets-map",
        "a node that is killed restarts with its first map",
        Rules(maps_last=False),
        caught_by=("partitioned/owner_killed", "availability >= 96%"),
    ),
    Bug(
        "coordinator-forgets",
        "a coordinator that is killed restarts with epoch 1",
        Rules(decisions_last=False),
        caught_by=("partitioned/owner_killed", "one_owner"),
    ),
    Bug(
        "ghost",
        "the coordinator leaves every other partition of a leaving node on it",
        Rules(place=known_bad.placed_with_ghosts),
        caught_by=("partitioned/leaves", "p99 < 300ms"),
    ),
    Bug(
        "one-zone",
        "the coordinator places replicas without regard to zones",
        Rules(place=known_bad.placed_in_any_zone),
        caught_by=("partitioned/zone_lost", "availability >= 95%"),
    ),
    Bug(
        "weights-ignored",
        "the coordinator gives a large node no more than a small one",
        Rules(place=known_bad.placed_without_weights),
        caught_by=("partitioned/weights", "balanced"),
    ),
    Bug(
        "never-refreshed",
        "a client never replaces its first map",
        Rules(maps_refreshed=False),
        caught_by=("partitioned/leaves", "availability >= 97%"),
    ),
    Bug(
        "timeout-failed",
        "a node says that a write had no effect although replicas may have stored it",
        Rules(broken_writes_unknown=False),
        caught_by=("partitioned/leader_cut_off", "linearizable"),
    ),
    Bug(
        "cuts-the-end",
        "the coordinator cuts a hot range at its last key, instead of into halves of equal load",
        Rules(cut=known_bad.cut_at_the_end),
        caught_by=("partitioned/hot_range", "balanced"),
    ),
)
