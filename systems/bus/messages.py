"""What travels between clients and nodes of the bus, as JSON; and what a command is in the log."""

from __future__ import annotations

from typing import Final

import msgspec

TOPICS_PATH: Final = "/topics/"
"""POST of this and a topic publishes; of this, a topic, "/" and a group takes messages."""
PRODUCERS_PATH: Final = "/producers"
LEASES_PATH: Final = "/leases"

MAX_MESSAGE_BYTES: Final = 1024 * 1024

# ------------------------------------------------------------------------------------------------------ what is in the log


class Register(msgspec.Struct, frozen=True, tag=True):
    """A producer begins; its number is the index of this entry."""


class Append(msgspec.Struct, frozen=True, tag=True):
    """A message, as the `sequence`-th of its producer."""

    topic: str
    key: str
    message: str
    producer: int
    sequence: int


class Take(msgspec.Struct, frozen=True, tag=True):
    """Lease the next messages of a partition, at most so many, to a consumer of a group."""

    topic: str
    group: str
    most: int


class Settle(msgspec.Struct, frozen=True, tag=True):
    """What was leased has been dealt with."""

    topic: str
    group: str
    lease: int


class Expire(msgspec.Struct, frozen=True, tag=True):
    """What was leased has been with its consumer for too long: others may have it."""

    topic: str
    group: str
    lease: int


Command = Register | Append | Take | Settle | Expire

# ------------------------------------------------------------------------------------------------------ what clients ask


class Publish(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST /topics/TOPIC. One that comes again, with the same producer and sequence, is taken once."""

    key: str = ""
    """Messages of one key stay in order."""
    message: str
    producer: int
    sequence: int


class Poll(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST /topics/TOPIC/GROUP."""

    most: int = 1
    """Messages."""


class Ack(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST /leases: the messages of a lease have been dealt with."""

    topic: str
    group: str
    lease: int


# ------------------------------------------------------------------------------------------------------ what is answered


class Registered(msgspec.Struct, frozen=True, tag=True):
    producer: int


class Appended(msgspec.Struct, frozen=True, tag=True):
    """The message is in the log, for good."""

    partition: int
    offset: int


class Forgotten(msgspec.Struct, frozen=True, tag=True):
    """The producer is not known any more, or has gone on to later messages: whether this one was taken is not known."""


class Taken(msgspec.Struct, frozen=True, tag=True):
    """What was leased. No messages and not `busy`: there are none. `busy`: other consumers have all there are."""

    lease: int
    messages: list[str]
    busy: bool = False


class Settled(msgspec.Struct, frozen=True, tag=True):
    """Whether the lease still held. If not, its messages are delivered again."""

    held: bool


Outcome = Registered | Appended | Forgotten | Taken | Settled
