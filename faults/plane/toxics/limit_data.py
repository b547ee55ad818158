"""limit_data: closes the connection after a number of bytes."""

from __future__ import annotations

import msgspec

from faults.plane.kind import NEXT, Chunk, Kind, Pipe, Stub


class LimitDataToxic(msgspec.Struct):
    """`bytes` is how many pass on each connection. With 0, the first data closes it."""

    bytes: int = 0


def _pipe(attributes: LimitDataToxic, stub: Stub) -> Pipe:
    while isinstance(chunk := (yield NEXT), Chunk):
        if passed := chunk.data[: max(attributes.bytes - stub.state, 0)]:
            stub.send(Chunk(passed, chunk.at_ns))
            stub.state += len(passed)
        if stub.state >= attributes.bytes:
            return


KIND = Kind(attributes=LimitDataToxic, lenient=True, pipe=_pipe)
