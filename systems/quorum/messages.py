"""What travels between clients and nodes, and between nodes, as JSON."""

from __future__ import annotations

from typing import Final

import msgspec

KEY_PATH: Final = "/kv/"
"""What clients ask: GET and PUT of this and a key."""

REPLICA_PATH: Final = "/replica"
"""What nodes ask each other."""


class Version(msgspec.Struct, frozen=True, order=True):
    """The order of writes to a key: by counter, then by writer. No clock takes part."""

    counter: int = 0
    writer: str = ""
    start: int = 0
    """The writer's start, each another number; with `number` it makes every version one write's alone: see `Versions`."""
    number: int = 0


class Entry(msgspec.Struct, frozen=True):
    """A value and its version. The default is what every key holds before its first write."""

    version: Version = Version()
    value: str | None = None


class Query(msgspec.Struct, frozen=True, tag=True):
    """What do you hold of this key?"""

    key: str


class Store(msgspec.Struct, frozen=True, tag=True):
    """Hold this, unless you hold something newer; answer when it is on your disk."""

    key: str
    entry: Entry


ReplicaRequest = Query | Store
"""What a replica is asked. It answers either with the entry that it then holds."""


class Put(msgspec.Struct, frozen=True):
    """The body of a PUT."""

    value: str


class Got(msgspec.Struct, frozen=True):
    """The answer to a GET."""

    value: str | None


class NotDone(msgspec.Struct, frozen=True):
    """The answer to a request that was not carried out, or of which that is not known."""

    outcome: str
    error: str
