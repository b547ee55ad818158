"""What coordinator and ranks say to each other, as JSON over HTTP."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from systems.parts.checkpoint.manifest import Identity, Shard

BEAT, WATCH, PREPARE, FORM, REACH, STORE, WRITTEN, ACCUSE, STEP, STATUS = (
    "/beat", "/watch", "/prepare", "/form", "/reach", "/store", "/written", "/accuse", "/step", "/status",
)  # fmt: skip

Phase = Literal["idle", "forming", "restoring", "training"]

NO_STATE: Final = -1
"""The step of a rank that holds no parameters yet."""


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """A rank to the coordinator, some twenty times a second: that it lives, and how far it is."""

    name: str
    incarnation: int
    """Drawn at each start, so that a rank that came back is not taken for the one that was there."""
    generation: int
    """The group that it works in, or worked in last."""
    phase: Phase
    step: int
    waiting_s: float
    """For how long it has been waiting in a collective and nothing has come from another rank; 0 if it is not waiting."""
    error: str
    """Why it left the group; "" if it did not."""


class Prepare(msgspec.Struct, frozen=True, kw_only=True):
    """The coordinator to a rank: leave the group that you are in, for one of this generation is about to be formed."""

    generation: int
    reach: tuple[str, ...]
    """Those of the ranks that it would dial to try."""


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A rank's answer: it is in no group now."""

    incarnation: int
    step: int
    reached: tuple[str, ...]


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """The coordinator to a member: these form the group of this generation, in the order of their ranks."""

    generation: int
    members: tuple[str, ...]
    limits: dict[str, int] = {}
    """How many steps a member's state may have been the result of, if later ones are not to be trusted; -1: no state is."""


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """The coordinator to a rank: which of these do you reach? And the answer."""

    others: tuple[str, ...]


class Put(msgspec.Struct, frozen=True, kw_only=True):
    """A member to the coordinator: an entry of the store by which gloo processes find each other."""

    key: str
    value: bytes


class Got(msgspec.Struct, frozen=True, kw_only=True):
    """The entry that was asked for."""

    value: bytes


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A rank to the coordinator: its part of a checkpoint is on the disk."""

    generation: int
    step: int
    world: int
    shard: Shard
    identity: Identity
    progress: msgspec.Raw
    state: str
    """The checksum of the whole state, of which this is a part."""


class Accused(msgspec.Struct, frozen=True, kw_only=True):
    """A member to the coordinator: others of the group compute wrongly."""

    generation: int
    by: str
    names: tuple[str, ...]
    why: str
    since: int | None
    """The first step that may be wrong by them; None: none is."""


class Stepped(msgspec.Struct, frozen=True, kw_only=True):
    """A rank's answer: a step that it has just done, and the digest of the parameters after it."""

    node: str
    generation: int
    step: int
    parameters: str


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The coordinator's answer: who is in the group."""

    generation: int
    members: tuple[str, ...]
