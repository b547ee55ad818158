"""The messages between coordinators and ranks, as JSON over HTTP."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from systems.parts.checkpoint.manifest import Identity, Shard, Withdrawn

BEAT, WATCH, PREPARE, FORM, REACH, STORE, WRITTEN, ACCUSE, STEP, STATUS, HEARD = (
    "/beat", "/watch", "/prepare", "/form", "/reach", "/store", "/written", "/accuse", "/step", "/status", "/heard",
)  # fmt: skip

WATCH_S: Final = 3600.0
"""After this, a rank closes a connection to a coordinator that has not answered its watch: its machine may have lost power."""

CHECKPOINTS: Final = "checkpoints"
"""The shared folder of checkpoints."""

Phase = Literal["idle", "forming", "restoring", "training"]

NO_STATE: Final = -1
"""The step of a rank that holds no parameters yet."""


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """A rank tells each coordinator about twenty times a second that it is alive, and its progress."""

    name: str
    incarnation: int
    """Drawn at each start, so that a rank that came back is not mistaken for the one before."""
    generation: int
    """The generation of its current or last group."""
    phase: Phase
    step: int
    waiting_s: float
    """How long it has waited in a collective without anything arriving from another rank; 0 if it is not waiting."""
    error: str
    """Why it left the group; "" if it did not."""


class Prepare(msgspec.Struct, frozen=True, kw_only=True):
    """The coordinator tells a rank to leave its group, because the group of this generation is about to be formed."""

    generation: int
    reach: tuple[str, ...]
    """The ranks to try, among those that this rank dials."""


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A rank's answer: it has left its group."""

    incarnation: int
    step: int
    done: tuple[int, int]
    """The step that follows with the sum that it holds and may not have applied; and the generation that this is from."""
    reached: tuple[str, ...]


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """The coordinator tells a member which ranks form the group of this generation, in the order of their numbers."""

    generation: int
    members: tuple[str, ...]
    limits: dict[str, int] = {}
    """The latest trusted step of each member whose later states are not trusted; -1: none is trusted."""
    withdrawn: tuple[Withdrawn, ...] = ()
    """All checkpoints that may contain wrong steps: the disk may not have taken the list of them."""
    coordinator: str
    """The coordinator that forms the group: it keeps the store through which the members find each other."""


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """The coordinator asks a rank which of these ranks it reaches; also the answer, and a coordinator's that is asked which
    ranks it hears."""

    others: tuple[str, ...]


class Put(msgspec.Struct, frozen=True, kw_only=True):
    """A member sends the coordinator an entry of the store through which gloo processes find each other."""

    key: str
    value: bytes


class Got(msgspec.Struct, frozen=True, kw_only=True):
    """The requested entry."""

    value: bytes


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A rank tells the coordinator that its part of a checkpoint is on the disk."""

    generation: int
    step: int
    world: int
    shard: Shard
    identity: Identity
    progress: msgspec.Raw
    state: str
    """The checksum of the whole state."""


class Accused(msgspec.Struct, frozen=True, kw_only=True):
    """A member tells the coordinator that others of the group compute wrongly."""

    generation: int
    by: str
    names: tuple[str, ...]
    why: str
    since: int | None
    """The first step that they may have spoilt; None: none."""


class Stepped(msgspec.Struct, frozen=True, kw_only=True):
    """A rank's answer: the step that it has just done, and the digest of the parameters after it."""

    node: str
    generation: int
    step: int
    parameters: str


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The coordinator's answer: the members of the group."""

    generation: int
    members: tuple[str, ...]
