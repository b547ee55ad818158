"""The messages between clients and nodes, and between nodes, as JSON.

The state of a key, `State`, is opaque here: bytes of JSON that only `resolution` looks into.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from systems.parts.hybrid_clock import Timestamp
from systems.parts.merkle import Range

State = bytes
"""The state of a key, encoded. Equal bytes are equal states."""

KEY_PATH: Final = "/kv/"
"""Clients send GET, PUT and DELETE to this and a key."""

CONTEXT_HEADER: Final = "context"
"""The header in which a GET and a DELETE have their context."""

STORE_PATH: Final = "/replica/store"
STATES_PATH: Final = "/replica/states"
RANGES_PATH: Final = "/replica/ranges"
"""Nodes send each other requests to these."""

MOST_KEY_BYTES: Final = 1024
MOST_VALUE_BYTES: Final = 1 << 20
MOST_BATCH_BYTES: Final = 1 << 22
"""A message between nodes ends with the state that brings it to this size, or to less if that does not get through in time."""


class Context(msgspec.Struct, frozen=True):
    """What a client has seen of a key: the timestamp of the last writer, or all writes that its values include or replace.

    Clients send back unchanged what they received.
    """

    stamp: Timestamp = Timestamp()
    dots: dict[str, int] = {}


class Put(msgspec.Struct, frozen=True):
    """The body of a PUT."""

    value: str
    context: Context = Context()


class Got(msgspec.Struct, frozen=True):
    """The answer to a GET: no value if the key was deleted or never written; several if they were written concurrently."""

    values: list[str]
    context: Context


class Done(msgspec.Struct, frozen=True):
    """The answer to a PUT or DELETE that was carried out. The context is for later reads, which then see the write."""

    context: Context


class NotDone(msgspec.Struct, frozen=True):
    """The answer to a request that was not carried out, or may not have been."""

    outcome: str
    error: str


class Held(msgspec.Struct, frozen=True, array_like=True):
    """A key and its state, as they travel."""

    key: str
    raw: msgspec.Raw

    @classmethod
    def of(cls, key: str, state: State | None) -> Held:
        return cls(key, msgspec.Raw(_NOTHING if state is None else state))

    @property
    def state(self) -> State | None:
        state = bytes(self.raw)
        return None if state == _NOTHING else state


_NOTHING: Final = b"null"


class Store(msgspec.Struct, frozen=True):
    """Merge these, and answer when they are on the disk."""

    held: list[Held]
    window: int
    """The window in the receiver's last answer; see `graves`."""
    fresh: bool = True
    """Whether the states are new. A state that is not, such as an old tombstone, does not add a key that is not held."""


class Stored(msgspec.Struct, frozen=True):
    """The answer to a `Store`; `done` is false if its window is too old, and nothing was stored."""

    done: bool
    window: int


class AskStates(msgspec.Struct, frozen=True):
    """Asks for the states of these keys. The answer may leave out the last ones: see `fitting`."""

    keys: list[str]
    most: int = MOST_BATCH_BYTES


class AskRanges(msgspec.Struct, frozen=True):
    """Asks for these ranges of the Merkle tree."""

    prefixes: list[str]


def fitting(states: Sequence[State | None], most: int = MOST_BATCH_BYTES) -> int:
    """How many of these states, from the first one on, fit into one message: at least one, if there is any. See `Peer.most`."""
    total_bytes = 0
    for number, state in enumerate(states, start=1):
        total_bytes += len(state or b"")
        if total_bytes >= most:
            return number
    return len(states)


Ranges = list[Range]
HeldList = list[Held]
