"""What travels between clients and nodes, and between nodes, as JSON."""

from __future__ import annotations

from typing import Final

import msgspec

KEY_PATH: Final = "/kv/"
"""What clients ask: GET, PUT, DELETE and POST of this and a key."""

REPLICA_PATH: Final = "/replica"
"""What nodes ask each other for clients: POST of several requests at once. A GET tells all that a node holds."""

RANGES_PATH: Final = "/repair/ranges"
ENTRIES_PATH: Final = "/repair/entries"
"""What nodes ask each other to find out in what they differ."""

MAX_KEY_BYTES: Final = 1024
MAX_VALUE_BYTES: Final = 1024 * 1024


class Version(msgspec.Struct, frozen=True, order=True, omit_defaults=True):
    """The order of changes to a key: by counter, then by writer. No clock takes part."""

    counter: int = 0
    writer: str = ""
    start: int = 0
    """The writer's start, each another number; with `number` it makes every version one write's alone: see `Versions`."""
    number: int = 0
    step: int = 0
    """How many compare-and-sets in a row have changed what the write with the other four wrote: see `comparing`."""


class Ballot(msgspec.Struct, frozen=True, order=True, omit_defaults=True):
    """One attempt to decide what comes after a version. No two attempts have the same one."""

    round: int = 0
    proposer: str = ""
    start: int = 0
    number: int = 0


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A value and its version; a value of None is a tombstone. The default is what every key holds before its first write."""

    version: Version = Version()
    value: str | None = None
    decided_for: Ballot | None = None
    """Of a value that a compare-and-set put here: the first ballot of the one that did."""
    floor: int = 0
    """Of a key that a replica does not hold: the highest counter of those that it dropped. A new version must be above it."""
    successor: Successor | None = None
    """How far a replica is with deciding what a compare-and-set puts after this version; None if nobody has asked."""


class Successor(msgspec.Struct, frozen=True, omit_defaults=True):
    """A replica's part in deciding the one successor of the version that it holds, by single-decree Paxos."""

    promised: Ballot
    """It takes no part in lower ballots any more."""
    accepted: Ballot | None = None
    proposal: Entry | None = None
    """What it accepted, in the ballot `accepted`."""


class Query(msgspec.Struct, frozen=True, tag=True):
    """What do you hold of this key?"""

    key: str


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
    """Keep this for a replica that is away, and give it to it when it is back; answer when it is on your disk."""

    key: str
    entry: Entry
    home: str


class Settled(msgspec.Struct, frozen=True, tag=True):
    """Do you hold and keep nothing of the key that is older than this? The answer has that version if so, and else none."""

    key: str
    version: Version


class Drop(msgspec.Struct, frozen=True, tag=True):
    """Forget a tombstone, for everyone has it, and nothing older of its key is left anywhere."""

    key: str
    version: Version


ReplicaRequest = Query | Store | Prepare | Accept | Keep | Settled | Drop
"""What a node is asked by another one. It answers with the entry that it then holds, or keeps."""


class Put(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a PUT."""

    value: str


class CompareAndSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a POST; null stands for no value."""

    expected: str | None
    value: str | None


class Got(msgspec.Struct, frozen=True):
    """The answer to a GET, a PUT or a DELETE: what was read, null for the others."""

    value: str | None


class Compared(msgspec.Struct, frozen=True):
    """The answer to a compare-and-set: whether the value was as expected and is now the new one; and what it was if not."""

    swapped: bool
    value: str | None


class NotDone(msgspec.Struct, frozen=True):
    """The answer to a request that was not carried out, or of which that is not known."""

    outcome: str
    error: str
