"""What travels between clients, nodes and the coordinator, as JSON."""

from __future__ import annotations

from typing import Final

import msgspec

from systems.partitioned.partition_map import PartitionMap
from systems.parts.partitioning.members import Member

KEY_PATH: Final = "/kv/"
"""What clients ask: GET, PUT and DELETE of this and a key."""
MANY_PATH: Final = "/many"
SCAN_PATH: Final = "/scan"
MAP_PATH: Final = "/map"
REPLICA_PATH: Final = "/replica"
PULL_PATH: Final = "/pull"
BEAT_PATH: Final = "/beat"
MEMBERS_PATH: Final = "/members"
SPLIT_PATH: Final = "/split"
MERGE_PATH: Final = "/merge"
HOT_PATH: Final = "/hot"

MISDIRECTED: Final = 421
"""The status of a refusal by a node that is not asked for a key, by the map that it knows."""


class Version(msgspec.Struct, frozen=True, order=True, array_like=True):
    """The order of writes to a key: by counter, then by writer. `start` and `number` make each one write's alone."""

    counter: int = 0
    writer: str = ""
    start: int = 0
    number: int = 0


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A value and its version. Without a value but with a version, the key was deleted: a tombstone."""

    version: Version = Version()
    value: str | None = None


class Held(msgspec.Struct, frozen=True, array_like=True):
    """What a node holds at a position."""

    place: str
    entry: Entry


# ------------------------------------------------------------------------------------------------- between nodes


class Query(msgspec.Struct, frozen=True, tag=True):
    """What do you hold here?"""

    place: str
    epoch: int
    """That of the partition."""


class Store(msgspec.Struct, frozen=True, tag=True):
    """Hold this, unless you hold something newer; answer when it is on your disk."""

    place: str
    entry: Entry
    epoch: int


class Places(msgspec.Struct, frozen=True, tag=True):
    """Which positions from `low` to before `high`, all of one partition, do you hold something at?"""

    low: str
    high: str | None
    limit: int
    epoch: int


ReplicaRequest = Query | Store | Places
"""What a replica is asked. It answers the first two with the entry that it then holds."""


class Refusal(msgspec.Struct, frozen=True):
    """The answer of a node that does not mean the same partition, or is not the one to ask."""

    epoch: int
    """Of the map that it goes by."""
    why: str


class PullRequest(msgspec.Struct, frozen=True):
    """Hand out the next part of a partition that moves, after this position."""

    low: str
    move: int
    after: str = ""
    limit_bytes: int = 0


class Pulled(msgspec.Struct, frozen=True):
    """A part of a partition."""

    held: list[Held]
    done: bool
    """Whether nothing comes after it."""
    of_bytes: int | None = None
    """With the first part: how much the whole partition is."""


class Beat(msgspec.Struct, frozen=True):
    """The coordinator says which epoch it is; with the map, if the node did not know it."""

    epoch: int
    map: PartitionMap | None = None


class Status(msgspec.Struct, frozen=True):
    """A node's answer to a beat."""

    epoch: int
    copied: list[tuple[str, int]] = []
    """The moves, by partition, of which it has its copy."""
    failing: bool = False
    """Its disk does not take what it is given."""
    loads: dict[str, int] = {}
    """By partition, how many requests of clients it has answered since its start."""
    start: int = 0


# ---------------------------------------------------------------------------------------------- clients and operators


class Put(msgspec.Struct, frozen=True):
    """The body of a PUT."""

    value: str


class Got(msgspec.Struct, frozen=True):
    """The answer to a GET, a PUT or a DELETE."""

    value: str | None
    epoch: int
    """Of the map that the node goes by."""


class GetMany(msgspec.Struct, frozen=True):
    """Several keys at once."""

    keys: list[str]


class GotMany(msgspec.Struct, frozen=True):
    """What there is under each key; those that are missing here have to be asked for again."""

    values: dict[str, str | None]
    epoch: int


class Scan(msgspec.Struct, frozen=True):
    """All keys from `low` to before `high`."""

    low: str
    high: str | None
    limit: int


class Scanned(msgspec.Struct, frozen=True):
    """What there is, in the order of keys, up to before `until`: where to go on. None if that was all."""

    values: dict[str, str]
    until: str | None
    epoch: int


class NotDone(msgspec.Struct, frozen=True):
    """The answer to a request that was not carried out, or of which that is not known."""

    error: str


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """A node joins, or leaves: one of the two."""

    join: Member | None = None
    leave: str | None = None


class At(msgspec.Struct, frozen=True):
    """Where to split or merge."""

    at: str


class Hot(msgspec.Struct, frozen=True):
    """How many requests each key of a partition had, of those that were asked for lately."""

    counts: dict[str, int]
