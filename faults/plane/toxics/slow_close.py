"""slow_close: passes everything on, but the end only after a while."""

from __future__ import annotations

import msgspec

from faults.plane.kind import NEXT, Chunk, Kind, Pipe, Sleep, Stub
from faults.plane.timers import now_ns


class SlowCloseToxic(msgspec.Struct):
    """Milliseconds between the sender's end and the receiver's."""

    delay: int = 0


def _pipe(attributes: SlowCloseToxic, stub: Stub) -> Pipe:
    while isinstance(chunk := (yield NEXT), Chunk):
        stub.send(chunk)
    yield Sleep(now_ns() + attributes.delay * 1_000_000)


KIND = Kind(attributes=SlowCloseToxic, lenient=True, pipe=_pipe)
