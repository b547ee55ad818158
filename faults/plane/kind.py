"""The interface of a kind of toxic. Each kind is one file in `toxics/`, found by its name.

A kind's `pipe` is a generator. One runs on each stream of each connection that the toxic acts on. It yields what it waits for
and passes bytes on with `stub.send`:

    got = yield NEXT              a `Chunk`, or `Signal.END` when the sender has closed
    got = yield Next(until_ns)    the same, or `Signal.DUE` if the time comes first
    yield Sleep(until_ns)         only the time; raises `Interrupted` if the toxic is changed or removed

When the generator returns, the stream is closed. While it waits for `NEXT` it may be closed and replaced at any time.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Generator
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple, Protocol

import msgspec

CAPACITY_BYTES = 32 * 1024
"""How much a toxic holds before the sender is paused, unless its kind says otherwise."""

CATCH_UP_NS = 100_000_000
"""A toxic that limits a rate makes up for at most this much delay. What an earlier toxic held, or this one at a lower rate,
would otherwise pass at once, as if it had been on its way meanwhile."""


class Chunk(NamedTuple):
    """Bytes that arrived together, and their time of arrival."""

    data: bytes
    at_ns: int


class Signal(enum.Enum):
    """Sent to a pipe in place of a chunk."""

    END = enum.auto()
    DUE = enum.auto()


class Next(NamedTuple):
    """Wait for a chunk or the end, but not beyond `until_ns` if that is given."""

    until_ns: int | None = None


class Sleep(NamedTuple):
    """Wait until a time, even if chunks arrive before."""

    until_ns: int


NEXT = Next()


class Interrupted(Exception):
    """Raised in a sleeping pipe when its toxic is changed or removed. The pipe should pass on its chunk and return.

    A pipe that goes back to sleep is left alone until it closes its stream.
    """


@dataclass(slots=True)
class Shared:
    """State that all connections of a toxic share for the toxic's lifetime."""

    free_ns: int = 0
    hits: int = 0
    """How often the toxic took effect. The metrics show it if it is above 0. Toxiproxy's own kinds do not count."""


class Stub(Protocol):
    """What a pipe sees of its stream."""

    state: int
    """Starts at zero, and survives changes of the toxic."""
    random: Random
    """Belongs to this toxic on this stream of this connection alone."""
    shared: Shared
    """The same object on all connections of the toxic."""

    def now_ns(self) -> int:
        """The fault plane's clock."""

    def send(self, chunk: Chunk) -> None:
        """Pass bytes on."""

    def reset(self) -> None:
        """Make both ends close with RST."""


Pipe = Generator[Next | Sleep, Chunk | Signal, None]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of toxic: its attributes and its behaviour."""

    attributes: type[msgspec.Struct]
    """Plain fields with defaults. Error messages show the class's name."""
    pipe: Callable[[Any, Stub], Pipe]
    """Called with the attributes and a stub for each stream that the toxic acts on."""
    lenient: bool = False
    """Whether unknown attributes are ignored, as by Toxiproxy, rather than refused."""
    capacity_bytes: int = CAPACITY_BYTES
    closes_when_removed: Callable[[int], bool] = lambda state: False
    """Whether removing the toxic closes a connection, given the stub's state on it."""
    check: Callable[[Any], str | None] = lambda attributes: None
    """What is wrong with attributes of the right types; None if they are valid."""
    connect: Callable[[Any], int | None] | None = None
    """For connect-phase toxics: how many nanoseconds to wait before dialling the upstream. None refuses the connection."""
