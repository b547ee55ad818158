"""The messages between clients, nodes and the coordinator, as JSON."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from systems.partitioned.partition_map import PartitionMap
from systems.parts.partitioning.members import Member

KEY_PATH: Final = "/kv/"
"""Clients send GET, PUT and DELETE to this and a key."""
MANY_PATH: Final = "/many"
SCAN_PATH: Final = "/scan"
MAP_PATH: Final = "/map"
REPLICA_PATH: Final = "/replica"
PULL_PATH: Final = "/pull"
BEAT_PATH: Final = "/beat"
MEMBERS_PATH: Final = "/members"
HOT_PATH: Final = "/hot"

MISDIRECTED: Final = 421
"""The status with which a node refuses a key that is another node's by the map that it knows."""


class Version(msgspec.Struct, frozen=True, order=True, array_like=True):
    """The order of writes to a key: by counter, then by writer. `start` and `number` make each version unique."""

    counter: int = 0
    writer: str = ""
    start: int = 0
    number: int = 0


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A value and its version. Without a value but with a version, the key was deleted: a tombstone."""

    version: Version = Version()
    value: str | None = None


class Held(msgspec.Struct, frozen=True, array_like=True):
    """An entry that a node holds at a position."""

    place: str
    entry: Entry


# ------------------------------------------------------------------------------------------------- between nodes


class Query(msgspec.Struct, frozen=True, tag=True):
    """Asks what a node holds at a position."""

    place: str
    epoch: int
    """The epoch of the partition."""


class Store(msgspec.Struct, frozen=True, tag=True):
    """Tells a node to hold this entry, unless it holds a newer one, and to answer when it is on its disk."""

    place: str
    entry: Entry
    epoch: int


class Places(msgspec.Struct, frozen=True, tag=True):
    """Asks at which positions from `low` to before `high`, all of one partition, a node holds something."""

    low: str
    high: str | None
    limit: int
    epoch: int


ReplicaRequest = Query | Store | Places
"""Requests to a replica. It answers the first two with the entry that it then holds."""


class Refusal(msgspec.Struct, frozen=True):
    """The answer of a node that knows the partition under another epoch, or is not the node to ask."""

    epoch: int
    """The epoch of the map that the node uses."""
    why: str


class PullRequest(msgspec.Struct, frozen=True):
    """Asks for the next part of a moving partition, after this position."""

    low: str
    move: int
    after: str = ""
    limit_bytes: int = 0


class Pulled(msgspec.Struct, frozen=True):
    """A part of a partition."""

    held: list[Held]
    done: bool
    """Whether this is the last part."""
    of_bytes: int | None = None
    """The size of the whole partition; with the first part only."""


class Beat(msgspec.Struct, frozen=True):
    """Tells the coordinator's epoch, with the map if the node did not know it."""

    epoch: int
    map: PartitionMap | None = None


class Status(msgspec.Struct, frozen=True):
    """A node's answer to a beat."""

    epoch: int
    copied: list[tuple[str, int]] = []
    """The moves, by partition, whose copies the node has completed."""
    failing: bool = False
    """Whether its disk fails."""
    loads: dict[str, int] = {}
    """By partition, the number of client requests answered since the node's start."""
    start: int = 0


# ---------------------------------------------------------------------------------------------- clients and operators


class Put(msgspec.Struct, frozen=True):
    """The body of a PUT."""

    value: str


class Got(msgspec.Struct, frozen=True):
    """The answer to a GET, a PUT or a DELETE."""

    value: str | None
    epoch: int
    """The epoch of the map that the node uses."""


class GetMany(msgspec.Struct, frozen=True):
    """Asks for several keys at once."""

    keys: list[str]


class GotMany(msgspec.Struct, frozen=True):
    """The value of each key; the client has to ask again for keys that are missing here."""

    values: dict[str, str | None]
    epoch: int


class Scan(msgspec.Struct, frozen=True):
    """Asks for all keys from `low` to before `high`."""

    low: str
    high: str | None
    limit: Annotated[int, msgspec.Meta(ge=1)]
    """The most keys in one answer."""


class Scanned(msgspec.Struct, frozen=True):
    """The values in the order of keys, up to before `until`, where the client continues; None: that was all."""

    values: dict[str, str]
    until: str | None
    epoch: int


class NotDone(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to a request that was not carried out, or may not have been."""

    error: str
    in_effect: bool = False
    """Whether members are already as a `Change` asks for: an earlier request, whose answer was lost, may have done it."""


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """A node that joins, or one that leaves; exactly one of the two."""

    join: Member | None = None
    leave: str | None = None


class At(msgspec.Struct, frozen=True):
    """The position at which to split or merge."""

    at: str


class Hot(msgspec.Struct, frozen=True):
    """The number of requests for each recently used key of a partition."""

    counts: dict[str, int]
