"""stall: the effect of packet loss on a TCP stream. Now and then everything waits for a retransmission.

A lost packet is sent again after the retransmission timeout, which doubles with every consecutive loss (RFC 6298,
section 5). Data sent after the lost packet waits for it.
"""

from __future__ import annotations

from random import Random

import msgspec

from faults.plane.kind import NEXT, Chunk, Interrupted, Kind, Pipe, Sleep, Stub

_MOST_LOSSES = 8
"""At most this many in a row; then the packet arrives."""


class StallToxic(msgspec.Struct):
    """`loss` is the probability that a chunk is lost (0 to 1), `timeout` the first retransmission timeout in milliseconds."""

    loss: float = 0.01
    timeout: int = 200


def _pipe(attributes: StallToxic, stub: Stub) -> Pipe:
    while isinstance(chunk := (yield NEXT), Chunk):
        due_ns = chunk.at_ns + _wait_ms(attributes, stub.random) * 1_000_000
        stub.shared.hits += due_ns > chunk.at_ns
        try:
            yield Sleep(due_ns)
        except Interrupted:
            stub.send(chunk)
            return
        stub.send(Chunk(chunk.data, due_ns))


def _wait_ms(attributes: StallToxic, random: Random) -> int:
    losses = 0
    while losses < _MOST_LOSSES and random.random() < attributes.loss:
        losses += 1
    return max(attributes.timeout, 0) * ((1 << losses) - 1)


KIND = Kind(attributes=StallToxic, pipe=_pipe, capacity_bytes=32 * 1024 * 1024)
