"""blackhole: swallows everything, even the end of the stream. Like a cut cable, it delivers neither FIN nor RST.

When it is removed, connections that lost bytes to it are closed, and the others go on.
"""

from __future__ import annotations

import msgspec

from faults.plane.kind import NEXT, Chunk, Kind, Pipe, Sleep, Stub
from faults.plane.timers import FOREVER_NS


class BlackholeToxic(msgspec.Struct):
    """It has no attributes of its own."""


def _pipe(_: BlackholeToxic, stub: Stub) -> Pipe:
    while isinstance(chunk := (yield NEXT), Chunk):
        stub.state += len(chunk.data)
        stub.shared.hits += len(chunk.data)
    yield Sleep(FOREVER_NS)


KIND = Kind(attributes=BlackholeToxic, pipe=_pipe, closes_when_removed=lambda lost_bytes: lost_bytes > 0)
