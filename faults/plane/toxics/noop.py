"""noop: does nothing."""

from __future__ import annotations

import msgspec

from faults.plane.kind import NEXT, Chunk, Kind, Pipe, Stub


class NoopToxic(msgspec.Struct):
    """It has no attributes of its own."""


def pass_on(_: msgspec.Struct, stub: Stub) -> Pipe:
    """The pipe of a toxic that does nothing to an open connection."""
    while isinstance(chunk := (yield NEXT), Chunk):
        stub.send(chunk)


KIND = Kind(attributes=NoopToxic, lenient=True, pipe=pass_on)
