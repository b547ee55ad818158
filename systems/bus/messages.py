"""The messages between clients and nodes of the bus, as JSON; and the commands in the log."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

TOPICS_PATH: Final = "/topics/"
"""POST to this and a topic publishes a message; to this, a topic, "/" and a group, it takes messages."""
PRODUCERS_PATH: Final = "/producers"
LEASES_PATH: Final = "/leases"

MAX_MESSAGE_BYTES: Final = 1024 * 1024

# ------------------------------------------------------------------------------------------------------ what is in the log


class Register(msgspec.Struct, frozen=True, tag=True):
    """A new producer, whose number is the index of this entry."""


class Append(msgspec.Struct, frozen=True, tag=True):
    """Add a message, the one with number `sequence` of its producer."""

    topic: str
    key: str
    message: str
    producer: int
    sequence: int


class Take(msgspec.Struct, frozen=True, tag=True):
    """Lease the next messages of a partition, at most `most`, to a consumer of a group."""

    topic: str
    group: str
    most: int


class Settle(msgspec.Struct, frozen=True, tag=True):
    """The leased messages have been dealt with."""

    topic: str
    group: str
    lease: int


class Expire(msgspec.Struct, frozen=True, tag=True):
    """The consumer has had the leased messages for too long: others may have them."""

    topic: str
    group: str
    lease: int


Command = Register | Append | Take | Settle | Expire

# ------------------------------------------------------------------------------------------------------ what clients ask


class Publish(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST /topics/TOPIC. A message that comes again, with the same producer and sequence, is added only once."""

    key: str = ""
    """Messages of one key stay in order."""
    message: str
    producer: int
    sequence: int


class Poll(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST /topics/TOPIC/GROUP."""

    most: Annotated[int, msgspec.Meta(ge=1)] = 1
    """The most messages to lease."""


class Ack(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST /leases: the messages of a lease have been dealt with."""

    topic: str
    group: str
    lease: int


# ------------------------------------------------------------------------------------------------------ what is answered


class Registered(msgspec.Struct, frozen=True, tag=True):
    producer: int


class Appended(msgspec.Struct, frozen=True, tag=True):
    """The message is committed."""

    partition: int
    offset: int


class Forgotten(msgspec.Struct, frozen=True, tag=True):
    """The producer is no longer known, or has gone on to later messages: it is unknown whether this one was added."""


class Taken(msgspec.Struct, frozen=True, tag=True):
    """The leased messages. If there are none, `busy` tells whether that is because other consumers have leased them all."""

    lease: int
    messages: list[str]
    busy: bool = False


class Settled(msgspec.Struct, frozen=True, tag=True):
    """Whether the lease still held. If not, its messages are delivered again."""

    held: bool


Outcome = Registered | Appended | Forgotten | Taken | Settled
