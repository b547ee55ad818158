"""Deadlines that travel with a request, as the time that remains: clocks of two machines differ, what remains does not.

The header is `timeout-ms: 300`, as gRPC's `grpc-timeout` (gRPC over HTTP/2, "Requests") with one unit. Whoever reads a request
counts from that moment and passes on what is left. How long it was on its way is not known, so each hop is late by that much.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

HEADER: Final = "timeout-ms"
LONGEST_MS: Final = 99_999_999
"""Eight digits, as in gRPC: more than a day."""

_MILLISECONDS: Final = re.compile(rb"[0-9]{1,8}")


class Deadline(msgspec.Struct, frozen=True):
    """Until when an answer is of use to whoever asked."""

    at_s: float
    """By the clock of the loop that read the request."""
    timeout_ms: int
    """What remained when it was read."""


def timeout_ms(value: bytes) -> int:
    """The header's value. Raises `ValueError` where it is not a whole number of milliseconds above 0, of at most 8 digits."""
    if not _MILLISECONDS.fullmatch(value) or int(value) == 0:
        shown = value[:20].decode("latin-1")
        raise ValueError(f"{HEADER} is {shown!r}; it is a whole number of milliseconds, 1 to {LONGEST_MS}")
    return int(value)
