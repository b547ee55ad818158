"""slow_close: delays the end of the stream."""

from __future__ import annotations

import msgspec

from faults.plane.kind import NEXT, Chunk, Kind, Pipe, Sleep, Stub


class SlowCloseToxic(msgspec.Struct):
    """`delay` in milliseconds."""

    delay: int = 0


def _pipe(attributes: SlowCloseToxic, stub: Stub) -> Pipe:
    while isinstance(chunk := (yield NEXT), Chunk):
        stub.send(chunk)
    yield Sleep(stub.now_ns() + attributes.delay * 1_000_000)


KIND = Kind(attributes=SlowCloseToxic, lenient=True, pipe=_pipe)
