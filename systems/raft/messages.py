"""The JSON messages between clients and nodes, and between nodes; and the commands in the log."""

from __future__ import annotations

from typing import Final

import msgspec

from systems.raft.core.messages import Members, Message
from systems.raft.core.recovery import Told

KEY_PATH: Final = "/kv/"
"""The clients' path, followed by a key: GET, PUT, POST (compare-and-set) and DELETE."""
SESSIONS_PATH: Final = "/sessions"
RAFT_PATH: Final = "/raft"
"""The nodes' path: POST for messages between nodes, GET for a node's status."""
MEMBERS_PATH: Final = "/members"
LEADER_PATH: Final = "/leader"
ON_BEHALF: Final = "on-behalf"
"""The header by which a client that can reach only one node has that node ask the leader."""

MAX_KEY_BYTES: Final = 1024
MAX_VALUE_BYTES: Final = 4 * 1024 * 1024

# ------------------------------------------------------------------------------------------------------ what is in the log


class Write(msgspec.Struct, frozen=True, tag=True):
    key: str
    value: str


class Delete(msgspec.Struct, frozen=True, tag=True):
    key: str


class CompareAndSet(msgspec.Struct, frozen=True, tag=True):
    """Write `new` if the key holds `expected`. Null means that the key does not exist, for both."""

    key: str
    expected: str | None
    new: str | None


class OpenSession(msgspec.Struct, frozen=True, tag=True):
    """Open a session, whose number is the entry's index."""


Operation = Write | Delete | CompareAndSet | OpenSession


class Command(msgspec.Struct, frozen=True):
    """An operation, with the session and sequence number by which a retry is recognized; 0 if retries are not recognized."""

    do: Operation
    session: int = 0
    sequence: int = 0


# ---------------------------------------------------------------------------------------------------- clients and nodes


class Once(msgspec.Struct, frozen=True, kw_only=True):
    """A request's session and sequence number, so that it is carried out only once, however often it is sent."""

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
    """The answer to opening a session: its number."""

    session: int


class NotDone(msgspec.Struct, frozen=True):
    """The answer to a request that was not carried out ("failed"), or may not have been ("unknown")."""

    outcome: str
    error: str
    leader: str | None = None
    """The node to ask instead, if known."""


class Change(msgspec.Struct, frozen=True):
    """The body of POST /members: the node to add, first as a learner, or to remove."""

    add: str | None = None
    remove: str | None = None


class HandOver(msgspec.Struct, frozen=True):
    """The body of POST /leader."""

    to: str


# --------------------------------------------------------------------------------------------------------- between nodes


class Batch(msgspec.Struct, frozen=True):
    """Messages from one node to another, in order; the answer holds messages in the other direction."""

    cluster: str
    source: str
    messages: list[Message]


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """A node's status."""

    cluster: str
    name: str
    role: str
    term: int
    leader: str | None
    members: Members
    changing: bool
    """Whether it does not know yet that the change to these members is committed."""
    last_index: int
    commit: int
    applied: int
    told: Told | None
    """What a node whose disk was damaged asks for; None if this node's own disk was damaged."""
