"""What travels between clients and replicas, among replicas, and between them and the keepers, as JSON."""

from __future__ import annotations

from typing import Final

import msgspec

from systems.parts.sessions import Latest

KEY_PATH: Final = "/kv/"
"""What clients ask: GET, PUT, POST and DELETE of this and a key."""

SESSIONS_PATH: Final = "/sessions"
"""Where clients open a session, by a POST."""

REPLICA_PATH: Final = "/replica"
"""What replicas ask each other."""

STATUS_PATH: Final = "/status"

REDIRECT_HEADER: Final = "redirect"
"""A client that can ask the primary itself says so."""

FORWARDED_HEADER: Final = "forwarded"
"""Names the backup that asks on a client's behalf. Such a request is not passed on again."""


class Configuration(msgspec.Struct, frozen=True):
    """Who is the primary, as the keepers have it. Each change has the next version; each primary has an epoch of its own."""

    version: int
    epoch: int
    primary: str
    in_sync: tuple[str, ...]
    """The replicas that have every acknowledged write, if all of them are waited for; see `protocol`."""
    used: bool = False
    """Whether anything may have been acknowledged.

    Until then no disk lacks anything, whatever became of it. A primary sets it when those that are to acknowledge its first
    entry have it: so they had asked the keepers before, and a majority of all replicas knows that it lacks nothing.
    """


# ----------------------------------------------------------------------------------------------------------- commands


class Begin(msgspec.Struct, frozen=True, tag=True):
    """The first entry of each epoch; it changes nothing."""


class OpenSession(msgspec.Struct, frozen=True, tag=True):
    """A new session, which is called by the index of this entry."""


class Write(msgspec.Struct, frozen=True, tag=True):
    """The key holds this value; None: it holds nothing."""

    key: str
    value: str | None


class CompareAndSet(msgspec.Struct, frozen=True, tag=True):
    """As `Write`, if the key holds what is expected."""

    key: str
    expected: str | None
    value: str | None


Operation = Begin | OpenSession | Write | CompareAndSet


class Command(msgspec.Struct, frozen=True):
    """An operation, as often as it is asked for: `number` counts those of a session; session 0 stands for none."""

    operation: Operation
    session: int = 0
    number: int = 0


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """What a log has at an index: a command, and the epoch whose primary put it there."""

    epoch: int
    command: Command


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of a command."""

    done: bool = True
    """False for a compare-and-set that found another value."""
    session: int = 0
    """The session that was opened."""
    forgotten: bool = False
    """Nothing was done, for the session is too old to be known, or has gone on to later commands."""


class Position(msgspec.Struct, frozen=True, order=True, array_like=True):
    """An entry of a log. They are ordered as logs are: the one whose last position is greater knows more."""

    epoch: int
    index: int


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What all entries up to an index came to."""

    index: int = 0
    ends: list[Position] = []
    """The last position of each epoch, in place of those entries."""
    values: dict[str, str] = {}
    sessions: dict[int, Latest[Result]] = {}
    """The one that was used last comes last."""


# ----------------------------------------------------------------------------------------------------- among replicas


class Append(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """From a primary: these entries come after that position; what you have beyond it and differs is void."""

    cluster: str
    configuration: Configuration
    previous: Position
    entries: list[Entry]
    committed: int
    """All entries up to this index are acknowledged, or may be."""
    established: bool
    """Whether one of the primary's own epoch is among them."""


class Install(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """From a primary: this in place of your whole log."""

    cluster: str
    configuration: Configuration
    snapshot: Snapshot
    committed: int
    established: bool


class Fence(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """From one who is to be primary: take nothing from earlier ones any more, and tell what you have beyond my log."""

    cluster: str
    configuration: Configuration
    ends: list[Position]


ReplicaRequest = Append | Install | Fence


class Matched(msgspec.Struct, frozen=True, tag=True):
    """All up to this index is on the disk, and the same as the primary's."""

    index: int


class Diverged(msgspec.Struct, frozen=True, tag=True):
    """The position is not in this log, which has these."""

    ends: list[Position]


class Fenced(msgspec.Struct, frozen=True, tag=True):
    """No earlier epoch is obeyed any more. What this log has beyond the other one, if it knows more."""

    last: Position
    common: int = 0
    """Up to this index both are the same."""
    snapshot: Snapshot | None = None
    """Comes before the entries, if they do not begin after `common`."""
    entries: list[Entry] = []


class Refused(msgspec.Struct, frozen=True, tag=True):
    """A later epoch is known here."""

    epoch: int


class NotReady(msgspec.Struct, frozen=True, tag=True):
    """Nothing can be said now: its disk does not take it, or it does not yet know what it had lost."""

    why: str


ReplicaAnswer = Matched | Diverged | Fenced | Refused | NotReady


# ------------------------------------------------------------------------------------------------------------ clients


class Put(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a PUT. Without a session, a PUT that is sent twice may be done twice."""

    value: str
    session: int = 0
    number: int = 0


class Compare(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a POST."""

    expected: str | None
    value: str | None
    session: int = 0
    number: int = 0


class Delete(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a DELETE."""

    session: int = 0
    number: int = 0


class Got(msgspec.Struct, frozen=True):
    """The answer to a GET."""

    value: str | None


class NotDone(msgspec.Struct, frozen=True):
    """The answer to a request that was not carried out, or of which that is not known."""

    outcome: str
    error: str
    primary: str = ""
    """Who is to be asked instead, if that is known."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What a replica says of itself."""

    name: str
    serves: bool
    """Whether it is a primary that has been able to commit something in its epoch."""
    epoch: int
    """The latest one it knows."""
    primary: str
    """Who that epoch's primary is, as far as it knows."""
    last: Position
    committed: int
