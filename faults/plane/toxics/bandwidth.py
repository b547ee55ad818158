"""bandwidth: limits the rate of each connection. Data passes in pieces of at most a tenth of a second."""

from __future__ import annotations

import msgspec

from faults.plane.kind import CATCH_UP_NS, NEXT, Chunk, Interrupted, Kind, Pipe, Sleep, Stub
from faults.plane.timers import FOREVER_NS

_PIECE_MS = 100


class BandwidthToxic(msgspec.Struct):
    """`rate` in kilobytes (1,000 bytes) a second. With 0 or less nothing passes until the toxic is changed or removed."""

    rate: int = 0


def _pipe(attributes: BandwidthToxic, stub: Stub) -> Pipe:
    rate = attributes.rate  # bytes a millisecond
    free_ns = stub.now_ns()
    while isinstance(chunk := (yield NEXT), Chunk):
        data, free_ns = chunk.data, max(free_ns, chunk.at_ns, stub.now_ns() - CATCH_UP_NS)
        while data:
            piece = data[: rate * _PIECE_MS] if rate > 0 else data
            free_ns = free_ns + len(piece) * 1_000_000 // rate if rate > 0 else FOREVER_NS
            try:
                yield Sleep(free_ns)
            except Interrupted:
                stub.send(Chunk(data, chunk.at_ns))
                return
            stub.send(Chunk(piece, free_ns))
            data = data[len(piece) :]


KIND = Kind(attributes=BandwidthToxic, lenient=True, pipe=_pipe)
