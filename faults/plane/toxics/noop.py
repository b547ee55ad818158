"""noop: passes everything on."""

from __future__ import annotations

import msgspec

from faults.plane.toxic import NEXT, Chunk, Kind, Pipe, Stub


class NoopToxic(msgspec.Struct):
    """It has no attributes."""


def _pipe(_: NoopToxic, stub: Stub) -> Pipe:
    while isinstance(chunk := (yield NEXT), Chunk):
        stub.send(chunk)


KIND = Kind(attributes=NoopToxic, pipe=_pipe)
