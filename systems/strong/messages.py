"""The messages between clients and replicas, among replicas, and between them and the keepers, as JSON."""

from __future__ import annotations

from typing import Final

import msgspec

from systems.parts.sessions import Latest

KEY_PATH: Final = "/kv/"
"""Clients send GET, PUT, POST and DELETE to this and a key."""

SESSIONS_PATH: Final = "/sessions"
"""Clients open a session with a POST to this."""

REPLICA_PATH: Final = "/replica"
"""Replicas send each other requests here."""

STATUS_PATH: Final = "/status"

REDIRECT_HEADER: Final = "redirect"
"""By this a client says that it can ask the primary itself."""

FORWARDED_HEADER: Final = "forwarded"
"""Names the backup that asks on behalf of a client. Such a request is not passed on again."""


class Configuration(msgspec.Struct, frozen=True):
    """Which replica is the primary, according to the keepers. Each change has the next version, each primary its own epoch."""

    version: int
    epoch: int
    primary: str
    in_sync: tuple[str, ...]
    """The replicas that have every acknowledged write, if writes wait for all of them; see `protocol`."""
    used: bool = False
    """Whether anything may have been acknowledged.

    Until then no disk lacks anything, whatever happened to it. A primary sets this when the replicas that are to acknowledge
    its first entry have it: so they asked the keepers before, and a majority of all replicas knows that it lacks nothing.
    """


# ----------------------------------------------------------------------------------------------------------- commands


class Begin(msgspec.Struct, frozen=True, tag=True):
    """The first entry of each epoch; it changes nothing."""


class OpenSession(msgspec.Struct, frozen=True, tag=True):
    """A new session, whose number is the index of this entry."""


class Write(msgspec.Struct, frozen=True, tag=True):
    """The key holds this value; None: it holds nothing."""

    key: str
    value: str | None


class CompareAndSet(msgspec.Struct, frozen=True, tag=True):
    """Like `Write`, if the key holds the expected value."""

    key: str
    expected: str | None
    value: str | None


Operation = Begin | OpenSession | Write | CompareAndSet


class Command(msgspec.Struct, frozen=True):
    """An operation, which may be sent more than once: `number` counts those of a session; session 0 stands for none."""

    operation: Operation
    session: int = 0
    number: int = 0


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """An entry of a log: a command, and the epoch whose primary put it there."""

    epoch: int
    command: Command


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """The result of a command."""

    done: bool = True
    """False for a compare-and-set that found another value."""
    session: int = 0
    """The session that was opened."""
    forgotten: bool = False
    """Nothing was done, because the session is too old to be known, or has gone on to later commands."""


class Position(msgspec.Struct, frozen=True, order=True, array_like=True):
    """The position of an entry in a log. Of two logs, the one whose last position is greater is more complete."""

    epoch: int
    index: int


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The state that all entries up to an index lead to."""

    index: int = 0
    ends: list[Position] = []
    """The last position of each epoch among those entries."""
    values: dict[str, str] = {}
    sessions: dict[int, Latest[Result]] = {}
    """The one that was used last comes last."""


# ----------------------------------------------------------------------------------------------------- among replicas


class Append(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """From a primary: these entries come after that position; entries of yours after it that differ are void."""

    configuration: Configuration
    previous: Position
    entries: list[Entry]
    committed: int
    """All entries up to this index are acknowledged, or may be."""
    established: bool
    """Whether one of the primary's own epoch is among them."""


class Beyond(msgspec.Struct, frozen=True, kw_only=True):
    """What one log has beyond another one, which is to become the same."""

    last: Position
    """The last entry of the log."""
    common: int
    """Both logs are the same up to this index."""
    snapshot: Snapshot | None
    """Comes before the entries, if they do not begin after `common`."""
    entries: list[Entry]


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """A piece of a snapshot, or of a `Beyond`, as JSON text; see `pieces`."""

    last: Position
    """The last entry that the whole holds."""
    size: int
    """Of the whole, in characters."""
    checksum: str
    """Of the whole."""
    offset: int
    """Where in the whole this piece begins."""
    text: str


class Install(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """From a primary: replace your whole log by this snapshot, once you have all of its pieces."""

    configuration: Configuration
    piece: Piece
    committed: int
    established: bool


class Fence(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """From the next primary: accept nothing from earlier ones any more, and tell me where your log ends."""

    configuration: Configuration


class Fetch(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """From the next primary, after `Fence`: send me a piece of what you have beyond my log."""

    configuration: Configuration
    ends: list[Position]
    """The last position of each epoch in the log of the next primary."""
    offset: int
    """Where the piece is to begin."""
    most: int
    """The most characters of it."""


class Canvass(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """From a replica that wants to be the next primary: could you follow me? It binds neither of them."""

    configuration: Configuration
    """The one that it would ask the keepers for. It is not in force."""


ReplicaRequest = Append | Install | Fence | Fetch | Canvass


class Matched(msgspec.Struct, frozen=True, tag=True):
    """Everything up to this index is on the disk, and the same as the primary's."""

    index: int


class Diverged(msgspec.Struct, frozen=True, tag=True):
    """The position is not in this log, which has these."""

    ends: list[Position]


class Installing(msgspec.Struct, frozen=True, tag=True):
    """The snapshot is here up to this offset, and the next piece is needed."""

    offset: int


class Fenced(msgspec.Struct, frozen=True, tag=True):
    """No earlier epoch is obeyed any more, and this log ends there."""

    last: Position


class Fetched(msgspec.Struct, frozen=True, tag=True):
    """A piece of the `Beyond` that was asked for."""

    piece: Piece


class Willing(msgspec.Struct, frozen=True, tag=True):
    """The replica could follow a primary of that epoch."""


class Refused(msgspec.Struct, frozen=True, tag=True):
    """A later epoch is known here."""

    epoch: int


class NotReady(msgspec.Struct, frozen=True, tag=True):
    """The replica cannot answer now: its disk fails, or it does not yet know what it had lost."""

    why: str


ReplicaAnswer = Matched | Diverged | Installing | Fenced | Fetched | Willing | Refused | NotReady


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
    """The answer to a request that was not carried out, or may not have been."""

    outcome: str
    error: str
    primary: str = ""
    """The node to ask instead, if that is known."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What a replica says about itself."""

    name: str
    serves: bool
    """Whether it is a primary that has been able to commit something in its epoch."""
    epoch: int
    """The latest epoch that it knows."""
    primary: str
    """The primary of that epoch, as far as it knows."""
    last: Position
    committed: int
