"""reset_peer: when something comes, waits, then ends the connection with RST at both ends, dropping what came."""

from __future__ import annotations

import msgspec

from faults.plane.kind import NEXT, Interrupted, Kind, Pipe, Sleep, Stub
from faults.plane.timers import now_ns


class ResetToxic(msgspec.Struct):
    """Milliseconds between the first chunk (or the end) and the reset."""

    timeout: int = 0


def _pipe(attributes: ResetToxic, stub: Stub) -> Pipe:
    yield NEXT
    due_ns = now_ns() + attributes.timeout * 1_000_000
    while now_ns() < due_ns:
        try:
            yield Sleep(due_ns)
        except Interrupted:
            continue  # what came is lost already: the reset is on its way, whatever becomes of the toxic
    stub.reset()


KIND = Kind(attributes=ResetToxic, lenient=True, pipe=_pipe)
