"""limit_data: closes the connection when a number of bytes has passed."""

from __future__ import annotations

import msgspec

from faults.plane.kind import NEXT, Chunk, Kind, Pipe, Stub


class LimitDataToxic(msgspec.Struct):
    """Bytes a connection lets through; with 0 its first data close it."""

    bytes: int = 0


def _pipe(attributes: LimitDataToxic, stub: Stub) -> Pipe:
    while isinstance(chunk := (yield NEXT), Chunk):
        if passed := chunk.data[: max(attributes.bytes - stub.state, 0)]:
            stub.send(Chunk(passed, chunk.at_ns))
            stub.state += len(passed)
        if stub.state >= attributes.bytes:
            return


KIND = Kind(attributes=LimitDataToxic, lenient=True, pipe=_pipe)
