"""half_open: passes everything except the end of the stream, as if a peer had crashed silently."""

from __future__ import annotations

import msgspec

from faults.plane.kind import NEXT, Chunk, Kind, Pipe, Sleep, Stub
from faults.plane.timers import FOREVER_NS


class HalfOpenToxic(msgspec.Struct):
    """It has no attributes of its own."""


def _pipe(_: HalfOpenToxic, stub: Stub) -> Pipe:
    while isinstance(chunk := (yield NEXT), Chunk):
        stub.send(chunk)
    stub.shared.hits += 1
    yield Sleep(FOREVER_NS)


KIND = Kind(attributes=HalfOpenToxic, pipe=_pipe)
