"""What a kind of toxic is made of: one file in `toxics/`, found by its name.

A toxic's `pipe` is a generator that runs once on each stream of each connection, between two stubs' queues. It yields what
it waits for, and hands bytes on with `stub.send`:

    got = yield NEXT              a `Chunk`, or `Signal.END` when the sender has closed
    got = yield Next(until_ns)    the same, or `Signal.DUE` when the time comes first
    yield Sleep(until_ns)         nothing but the time; raises `Interrupted` when the toxic is changed or removed

Where it returns, the stream is closed behind it. While it waits for `NEXT` it may be ended at any moment and begun anew.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Generator
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple, Protocol

import msgspec

CAPACITY_BYTES = 32 * 1024
"""What a toxic holds at most before the sender is held back, unless its kind says otherwise."""


class Chunk(NamedTuple):
    """Bytes that came together, and when."""

    data: bytes
    at_ns: int


class Signal(enum.Enum):
    """What a pipe gets in place of a chunk."""

    END = enum.auto()
    DUE = enum.auto()


class Next(NamedTuple):
    """Wait for a chunk or the end, no longer than until `until_ns` where that is given."""

    until_ns: int | None = None


class Sleep(NamedTuple):
    """Wait for a time, whatever arrives."""

    until_ns: int


NEXT = Next()


class Interrupted(Exception):
    """Raised in a sleeping pipe when its toxic is changed or removed: hand on what is in hand and return.

    A pipe that sleeps on instead is left alone until it has closed its stream.
    """


@dataclass(slots=True)
class Shared:
    """What a toxic's connections have in common, from when the toxic is made."""

    free_ns: int = 0
    hits: int = 0
    """How often it did what its kind is for. Shown in the metrics where above 0; kinds that Toxiproxy has count none."""


class Stub(Protocol):
    """A pipe's side of one stream of one connection."""

    state: int
    """Zero at first; outlives changes of the toxic."""
    random: Random
    """Of this toxic on this stream of this connection alone."""
    shared: Shared
    """The same for all connections that the toxic is on."""

    def send(self, chunk: Chunk) -> None:
        """Hand bytes on."""

    def reset(self) -> None:
        """Make the connection end with RST, at both ends, when it is closed."""


Pipe = Generator[Next | Sleep, Chunk | Signal, None]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of toxic: what is asked of it, and what it does."""

    attributes: type[msgspec.Struct]
    """Integer (or other plain) fields with their defaults; the class's name is what error messages show."""
    pipe: Callable[[Any, Stub], Pipe]
    """Called with the attributes and a stub."""
    lenient: bool = False
    """Whether an attribute that it does not have is ignored, as Toxiproxy does, rather than refused."""
    capacity_bytes: int = CAPACITY_BYTES
    closes_when_removed: Callable[[int], bool] = lambda state: False
    """Whether removing the toxic closes a connection on which it has this state."""
    check: Callable[[Any], str | None] = lambda attributes: None
    """What is wrong with attributes whose types are right; None where nothing is."""
    connect: Callable[[Any], int | None] | None = None
    """For a toxic of the connect phase: from its attributes, nanoseconds before the upstream is dialled; None refuses."""
