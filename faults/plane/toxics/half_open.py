"""half_open: passes everything on, but never the end. A peer that crashed or was cut off: nobody is told."""

from __future__ import annotations

import msgspec

from faults.plane.kind import NEXT, Chunk, Kind, Pipe, Sleep, Stub
from faults.plane.timers import FOREVER_NS


class HalfOpenToxic(msgspec.Struct):
    """It has no attributes."""


def _pipe(_: HalfOpenToxic, stub: Stub) -> Pipe:
    while isinstance(chunk := (yield NEXT), Chunk):
        stub.send(chunk)
    stub.shared.hits += 1
    yield Sleep(FOREVER_NS)


KIND = Kind(attributes=HalfOpenToxic, pipe=_pipe)
