"""latency: delays every chunk. The order is kept."""

from __future__ import annotations

import msgspec

from faults.plane.kind import NEXT, Chunk, Interrupted, Kind, Pipe, Sleep, Stub


class LatencyToxic(msgspec.Struct):
    """Milliseconds. Each delay is uniform between `latency - jitter` and `latency + jitter`."""

    latency: int = 0
    jitter: int = 0


def _pipe(attributes: LatencyToxic, stub: Stub) -> Pipe:
    jitter_ms = max(attributes.jitter, 0)
    while isinstance(chunk := (yield NEXT), Chunk):
        delay_ms = attributes.latency
        if jitter_ms:
            delay_ms += stub.random.randrange(-jitter_ms, jitter_ms)
        due_ns = chunk.at_ns + max(delay_ms, 0) * 1_000_000
        stub.shared.hits += 1
        try:
            yield Sleep(due_ns)
        except Interrupted:
            stub.send(chunk)
            return
        stub.send(Chunk(chunk.data, due_ns))


KIND = Kind(attributes=LatencyToxic, lenient=True, pipe=_pipe, capacity_bytes=32 * 1024 * 1024)
