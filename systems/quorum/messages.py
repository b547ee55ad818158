"""The JSON messages between clients and nodes, and between nodes."""

from __future__ import annotations

from typing import Final

import msgspec

KEY_PATH: Final = "/kv/"
"""The clients' path, followed by a key: GET, PUT, DELETE and POST."""

REPLICA_PATH: Final = "/replica"
"""The path for requests between nodes on behalf of clients: POST sends several at once. GET returns all that a node holds."""

RANGES_PATH: Final = "/repair/ranges"
ENTRIES_PATH: Final = "/repair/entries"
"""The paths by which nodes find out where they differ."""

MAX_KEY_BYTES: Final = 1024
MAX_VALUE_BYTES: Final = 1024 * 1024


class Version(msgspec.Struct, frozen=True, order=True, omit_defaults=True):
    """The order of changes to a key: by counter, then by writer. It depends on no clock."""

    counter: int = 0
    writer: str = ""
    start: int = 0
    """The number of the writer's start; with `number` it makes every version unique to one write: see `Versions`."""
    number: int = 0
    step: int = 0
    """How many successive compare-and-sets have changed what the write with the other four fields wrote: see `comparing`."""


class Ballot(msgspec.Struct, frozen=True, order=True, omit_defaults=True):
    """One attempt to decide the successor of a version. No two attempts have the same ballot."""

    round: int = 0
    proposer: str = ""
    start: int = 0
    number: int = 0


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A value and its version; a value of None is a tombstone. The default is every key's entry before its first write."""

    version: Version = Version()
    value: str | None = None
    decided_for: Ballot | None = None
    """For a value that a compare-and-set wrote: the first ballot of that compare-and-set."""
    floor: int = 0
    """For a key that a replica does not hold: the highest counter of all that it dropped. A new version must be above it."""
    successor: Successor | None = None
    """The replica's state in deciding this version's successor; None if no compare-and-set has asked."""


class Successor(msgspec.Struct, frozen=True, omit_defaults=True):
    """A replica's part in deciding the one successor of the version that it holds, by single-decree Paxos."""

    promised: Ballot
    """It no longer takes part in lower ballots."""
    accepted: Ballot | None = None
    proposal: Entry | None = None
    """The entry that it accepted, in the ballot `accepted`."""


class Query(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """What do you hold for this key?"""

    key: str
    kept: bool = False
    """Tell also what you keep for other replicas, if that is newer: you stand in for one. What a replica only keeps for another
    one it drops once that has it, so it must not count as one that holds it."""


class Store(msgspec.Struct, frozen=True, tag=True):
    """Hold this, unless you hold something newer; answer when it is on your disk."""

    key: str
    entry: Entry


class Prepare(msgspec.Struct, frozen=True, tag=True):
    """Hold this, and promise to take no part in a lower ballot about its successor."""

    key: str
    entry: Entry
    ballot: Ballot


class Accept(msgspec.Struct, frozen=True, tag=True):
    """Hold this, and accept a proposal for its successor, unless you have promised a higher ballot."""

    key: str
    entry: Entry
    ballot: Ballot
    proposal: Entry


class Keep(msgspec.Struct, frozen=True, tag=True):
    """Keep this for a replica that is away, and deliver it when it is back; answer when it is on your disk."""

    key: str
    entry: Entry
    home: str


class Settled(msgspec.Struct, frozen=True, tag=True):
    """Is everything that you hold or keep for the key at least this new? The answer has this version if so, else none."""

    key: str
    version: Version


class Drop(msgspec.Struct, frozen=True, tag=True):
    """Forget a tombstone: every replica has it, and nothing older for its key is left anywhere."""

    key: str
    version: Version


ReplicaRequest = Query | Store | Prepare | Accept | Keep | Settled | Drop
"""A request between nodes. The answer is the entry that the node then holds, or keeps."""


class Put(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a PUT."""

    value: str


class CompareAndSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a POST; null stands for no value."""

    expected: str | None
    value: str | None


class Got(msgspec.Struct, frozen=True):
    """The answer to a GET, a PUT or a DELETE: the value that was read; null for the others."""

    value: str | None


class Compared(msgspec.Struct, frozen=True):
    """The answer to a compare-and-set: whether the value was replaced; if not, `value` is what it was."""

    swapped: bool
    value: str | None


class NotDone(msgspec.Struct, frozen=True):
    """The answer to a request that was not carried out, or may not have been."""

    outcome: str
    error: str
