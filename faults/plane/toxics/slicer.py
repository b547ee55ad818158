"""slicer: splits data into small pieces, with a pause after each."""

from __future__ import annotations

from random import Random

import msgspec

from faults.plane.binding import Int
from faults.plane.kind import NEXT, Chunk, Interrupted, Kind, Pipe, Sleep, Stub


class SlicerToxic(msgspec.Struct):
    """The average size of a piece and its largest variation in bytes, and the `delay` after each piece in microseconds.

    An average below 1 slices nothing. A variation that is not below the average counts as one less than the average.
    """

    average_size: Int = 0
    size_variation: Int = 0
    delay: Int = 0


def _pipe(attributes: SlicerToxic, stub: Stub) -> Pipe:
    while isinstance(chunk := (yield NEXT), Chunk):
        begin = 0
        for end in _cuts(len(chunk.data), attributes, stub.random):
            stub.send(Chunk(chunk.data[begin:end], chunk.at_ns))
            begin = end
            try:
                yield Sleep(
                    stub.now_ns() + max(attributes.delay * 1_000, 1)
                )  # at least one, so that each piece is written separately
            except Interrupted:
                if rest := chunk.data[end:]:
                    stub.send(Chunk(rest, chunk.at_ns))
                return


def _cuts(size: int, attributes: SlicerToxic, random: Random) -> list[int]:
    """The ends of the pieces of `size` bytes. Pieces are halved, a little off the middle, until they are small enough."""
    average = attributes.average_size
    if average < 1:
        return [size]
    variation = min(max(attributes.size_variation, 0), average - 1)
    cuts, waiting = [], [(0, size)]
    while waiting:
        begin, end = waiting.pop()
        if end - begin <= average + variation:
            cuts.append(end)
            continue
        middle = begin + (end - begin) // 2
        if variation:
            middle += random.randrange(-variation, variation)
        waiting.append((middle, end))
        waiting.append((begin, middle))
    return cuts


KIND = Kind(attributes=SlicerToxic, lenient=True, pipe=_pipe)
