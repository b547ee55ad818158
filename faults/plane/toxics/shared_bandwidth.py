"""shared_bandwidth: limits the total rate of all connections of a proxy, like a saturated uplink."""

from __future__ import annotations

import msgspec

from faults.plane.kind import CATCH_UP_NS, NEXT, Chunk, Interrupted, Kind, Pipe, Sleep, Stub
from faults.plane.timers import FOREVER_NS

_PIECE_MS = 10
"""How long a connection sends before others get their turn. Short turns share fairly."""


class SharedBandwidthToxic(msgspec.Struct):
    """`rate` in kilobytes (1,000 bytes) a second. With 0 or less nothing passes until the toxic is changed or removed."""

    rate: int = 0


def _pipe(attributes: SharedBandwidthToxic, stub: Stub) -> Pipe:
    rate, shared = attributes.rate, stub.shared  # bytes a millisecond
    while isinstance(chunk := (yield NEXT), Chunk):
        data, ready_ns = chunk.data, max(chunk.at_ns, stub.now_ns() - CATCH_UP_NS)
        while data:
            piece = data[: rate * _PIECE_MS] if rate > 0 else data
            due_ns = FOREVER_NS
            shared.hits += rate <= 0 or shared.free_ns >= ready_ns  # equal: after another piece of the same data
            if rate > 0:
                due_ns = shared.free_ns = max(shared.free_ns, ready_ns) + len(piece) * 1_000_000 // rate
            try:
                yield Sleep(due_ns)
            except Interrupted:
                stub.send(Chunk(data, chunk.at_ns))
                return
            stub.send(Chunk(piece, due_ns))
            data, ready_ns = data[len(piece) :], due_ns


KIND = Kind(attributes=SharedBandwidthToxic, pipe=_pipe)
