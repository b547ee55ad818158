"""What travels between clients and nodes, and between nodes, as JSON; and what a command is in the log."""

from __future__ import annotations

from typing import Final

import msgspec

from systems.raft.core.messages import Members, Message
from systems.raft.core.recovery import Told

KEY_PATH: Final = "/kv/"
"""What clients ask: GET, PUT, POST (compare-and-set) and DELETE of this and a key."""
SESSIONS_PATH: Final = "/sessions"
RAFT_PATH: Final = "/raft"
"""What nodes ask each other; GET tells how the node is."""
MEMBERS_PATH: Final = "/members"
LEADER_PATH: Final = "/leader"
ON_BEHALF: Final = "on-behalf"
"""The header by which a client that can reach one node alone has that one ask the leader."""

MAX_KEY_BYTES: Final = 1024
MAX_VALUE_BYTES: Final = 4 * 1024 * 1024

# ------------------------------------------------------------------------------------------------------ what is in the log


class Write(msgspec.Struct, frozen=True, tag=True):
    key: str
    value: str


class Delete(msgspec.Struct, frozen=True, tag=True):
    key: str


class CompareAndSet(msgspec.Struct, frozen=True, tag=True):
    """Write `new` if the key holds `expected`. Null is nothing, in either place."""

    key: str
    expected: str | None
    new: str | None


class OpenSession(msgspec.Struct, frozen=True, tag=True):
    """The entry's index is the session's number."""


Operation = Write | Delete | CompareAndSet | OpenSession


class Command(msgspec.Struct, frozen=True):
    """An operation, and the session and the place in it by which it is recognized when it comes again; 0 if it is not to be."""

    do: Operation
    session: int = 0
    sequence: int = 0


# ---------------------------------------------------------------------------------------------------- clients and nodes


class Once(msgspec.Struct, frozen=True, kw_only=True):
    """So that an operation is carried out once, however often it is asked: its session, and a number that counts up in it."""

    session: int = 0
    sequence: int = 0


class Put(Once, frozen=True, kw_only=True):
    """The body of a PUT."""

    value: str


class Post(Once, frozen=True, kw_only=True):
    """The body of a POST: compare and set."""

    expected: str | None
    new: str | None


class Got(msgspec.Struct, frozen=True):
    """The answer to a GET."""

    value: str | None


class Swapped(msgspec.Struct, frozen=True):
    """The answer to a POST."""

    swapped: bool


class Session(msgspec.Struct, frozen=True):
    """A session that was opened."""

    session: int


class NotDone(msgspec.Struct, frozen=True):
    """The answer to a request that was not carried out ("failed"), or of which that is not known ("unknown")."""

    outcome: str
    error: str
    leader: str | None = None
    """Who to ask instead, if that is known."""


class Change(msgspec.Struct, frozen=True):
    """The body of POST /members: who is to come, as a learner first, or to go."""

    add: str | None = None
    remove: str | None = None


class HandOver(msgspec.Struct, frozen=True):
    """The body of POST /leader."""

    to: str


# --------------------------------------------------------------------------------------------------------- between nodes


class Batch(msgspec.Struct, frozen=True):
    """Messages from one node to another, in order; the answer holds messages for the first one."""

    cluster: str
    source: str
    messages: list[Message]


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How a node is."""

    cluster: str
    name: str
    role: str
    term: int
    leader: str | None
    members: Members
    last_index: int
    commit: int
    applied: int
    told: Told | None
    """What a node whose disk was damaged asks for; None if this one's was."""
