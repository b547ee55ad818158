"""reset_peer: drops the data and resets both ends of the connection, some time after the first chunk."""

from __future__ import annotations

import msgspec

from faults.plane.kind import NEXT, Interrupted, Kind, Pipe, Sleep, Stub


class ResetToxic(msgspec.Struct):
    """`timeout` is the time between the first chunk (or the end) and the reset, in milliseconds."""

    timeout: int = 0


def _pipe(attributes: ResetToxic, stub: Stub) -> Pipe:
    yield NEXT
    due_ns = stub.now_ns() + attributes.timeout * 1_000_000
    while stub.now_ns() < due_ns:
        try:
            yield Sleep(due_ns)
        except Interrupted:
            continue  # data is lost already, so the reset comes even if the toxic is changed or removed
    stub.reset()


KIND = Kind(attributes=ResetToxic, lenient=True, pipe=_pipe)
