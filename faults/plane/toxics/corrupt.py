"""corrupt: flips one bit in some of the bytes, like bad memory or a bad cable behind a weak checksum."""

from __future__ import annotations

import math
from random import Random

import msgspec

from faults.plane.kind import NEXT, Chunk, Kind, Pipe, Stub


class CorruptToxic(msgspec.Struct):
    """`rate` is the probability that a byte is hit (0 to 1). `offset` hits the byte at that position of the stream.

    `bit` is the bit that is flipped, 0 being the lowest; if it is negative, a random one. A negative `offset` hits nothing.
    """

    rate: float = 0.0
    offset: int = -1
    bit: int = -1


def _pipe(attributes: CorruptToxic, stub: Stub) -> Pipe:
    while isinstance(chunk := (yield NEXT), Chunk):
        data = bytearray(chunk.data)
        places = _hits(len(data), attributes.rate, stub.random)
        for place in places:
            data[place] ^= 1 << _bit(attributes, stub.random)
        stub.shared.hits += len(places)
        place = attributes.offset - stub.state
        if attributes.offset >= 0 and 0 <= place < len(data):
            data[place] ^= 1 << _bit(attributes, stub.random)
            stub.shared.hits += 1
        stub.state += len(data)
        stub.send(Chunk(bytes(data), chunk.at_ns))


def _bit(attributes: CorruptToxic, random: Random) -> int:
    return attributes.bit % 8 if attributes.bit >= 0 else random.randrange(8)


def _hits(size: int, rate: float, random: Random) -> list[int]:
    """The positions that are hit. The gaps between them are drawn, so a low rate costs almost nothing."""
    if rate <= 0:
        return []
    if rate >= 1:
        return list(range(size))
    places: list[int] = []
    place = -1
    while True:
        place += 1 + int(min(math.log(1.0 - random.random()) / math.log1p(-rate), size))
        if place >= size:
            return places
        places.append(place)


KIND = Kind(attributes=CorruptToxic, pipe=_pipe)
