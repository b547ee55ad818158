"""timeout: drops everything. Closes the connection after a time without data, or when the toxic is removed."""

from __future__ import annotations

import msgspec

from faults.plane.kind import NEXT, Chunk, Kind, Next, Pipe, Stub


class TimeoutToxic(msgspec.Struct):
    """`timeout` in milliseconds; 0 means never."""

    timeout: int = 0


def _pipe(attributes: TimeoutToxic, stub: Stub) -> Pipe:
    while isinstance((yield _patience(attributes.timeout, stub)), Chunk):
        pass


def _patience(timeout_ms: int, stub: Stub) -> Next:
    return Next(stub.now_ns() + timeout_ms * 1_000_000) if timeout_ms > 0 else NEXT


KIND = Kind(attributes=TimeoutToxic, lenient=True, pipe=_pipe, closes_when_removed=lambda _: True)
