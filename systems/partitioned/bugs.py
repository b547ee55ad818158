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
    maps_refreshed: bool = True
    """A client gets a newer map when it is told that its own is old."""


CORRECT: Final = Rules()

BUGS: Final = BugCatalog(
    CORRECT,
    Bug(
        "old-owner-writes",
        "while a partition moves, only its old owners are written to",
        Rules(both_groups_take_part=False),
        caught_by=("partitioned/joins", "linearizable"),
    ),
    Bug(
        "both-serve",
        "as long as a partition moves, clients are answered by its new owner as well as by the old one",
        Rules(leaders=known_bad.old_and_new_owner),
        caught_by=("partitioned/joins", "one_owner"),
    ),
    Bug(
        "modulo",
        "partition i belongs to node i modulo the number of nodes",
        Rules(place=known_bad.placed_modulo),
        caught_by=("partitioned/joins", "moved_share"),
    ),
    Bug(
        "salted-hash",
        "each process hashes keys in its own way, as hash() does",
        Rules(position=known_bad.salted_position),
        caught_by=("partitioned/joins", "linearizable"),
    ),
    Bug(
        "epoch-unchecked",
        "a node answers under whatever epoch it is asked",
        Rules(epochs_checked=False),
        caught_by=("partitioned/stale_maps", "linearizable"),
    ),
    Bug(
        "copies-unfenced",
        "an owner hands out a copy before it knows of the move, and goes on alone",
        Rules(copies_are_fenced=False),
        caught_by=("partitioned/owner_uninformed", "linearizable"),
    ),
    Bug(
        "off-by-one",
        "the first key of a partition is left out of its copy",
        Rules(copied_after=known_bad.after_the_first),
        caught_by=("partitioned/ranges_join", "linearizable"),
    ),
    Bug(
        "no-tombstones",
        "deletions are left out of copies, so that a replica that missed one brings the value back",
        Rules(tombstones_move=False),
        caught_by=("partitioned/replicas_move", "linearizable"),
    ),
    Bug(
        "last-wins",
        "what comes last is kept, so that a copy replaces what was written meanwhile",
        Rules(newest_kept=False),
        caught_by=("partitioned/link_slow", "linearizable"),
    ),
    Bug(
        "no-checksum",
        "what a link has changed is stored",
        Rules(checksums_checked=False),
        caught_by=("partitioned/link_corrupts", "linearizable"),
    ),
    Bug(
        "wrong-offset",
        "how far a copy is, is noted before it is: a node that is killed goes on after a hole",
        Rules(noted_with_what_was_copied=False),
        caught_by=("partitioned/receiver_killed", "linearizable"),
    ),
    Bug(
        "forgets-early",
        "the old owner forgets what it holds as soon as the move begins",
        Rules(lets_go=known_bad.lets_go_at_once),
        caught_by=("partitioned/joins", "linearizable"),
    ),
    Bug(
        "no-sync",
        "copies and writes are acknowledged before they are on the disk",
        Rules(synced_before_answer=False),
        caught_by=("partitioned/power_lost", "linearizable"),
    ),
    Bug(
        "node-forgets-map",
        "a node that is killed goes back to the map that it had at first",
        Rules(maps_last=False),
        caught_by=("partitioned/owner_killed", "availability >= 90%"),
    ),
    Bug(
        "coordinator-forgets",
        "a coordinator that is killed begins again with epoch 1",
        Rules(decisions_last=False),
        caught_by=("partitioned/coordinator_killed", "one_owner"),
    ),
    Bug(
        "ghost",
        "a node that leaves is still meant to have every other one of its partitions",
        Rules(place=known_bad.placed_with_ghosts),
        caught_by=("partitioned/leaves", "p99 < 300ms"),
    ),
    Bug(
        "one-zone",
        "replicas are chosen without a look at zones",
        Rules(place=known_bad.placed_in_any_zone),
        caught_by=("partitioned/zone_lost", "availability >= 90%"),
    ),
    Bug(
        "weights-ignored",
        "a large node gets no more than a small one",
        Rules(place=known_bad.placed_without_weights),
        caught_by=("partitioned/weights", "balanced"),
    ),
    Bug(
        "never-refreshed",
        "a client keeps the map that it got first",
        Rules(maps_refreshed=False),
        caught_by=("partitioned/leaves", "availability >= 97%"),
    ),
    Bug(
        "cuts-the-end",
        "a hot range is cut at its last key, not where both halves have the same load",
        Rules(cut=known_bad.cut_at_the_end),
        caught_by=("partitioned/hot_range", "balanced"),
    ),
)
