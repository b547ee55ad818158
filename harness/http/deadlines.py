"""Deadlines that are propagated with a request as the remaining time, because the clocks of two machines differ.

The header is `timeout-ms: 300`, like gRPC's `grpc-timeout` (gRPC over HTTP/2, "Requests") with a single unit. A server counts
from when it reads the request, and passes on the remaining time. It cannot know how long the request was in transit, so each
hop is late by that much.
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
    """The time until which the client can use a response."""

    at_s: float
    """By the clock of the loop that read the request."""
    timeout_ms: int
    """The remaining time when the request was read."""


def timeout_ms(value: bytes) -> int:
    """The header's value. Raises `ValueError` unless it is a whole number of milliseconds above 0, of at most 8 digits."""
    if not _MILLISECONDS.fullmatch(value) or int(value) == 0:
        shown = value[:20].decode("latin-1")
        raise ValueError(f"{HEADER} is {shown!r}; it must be a whole number of milliseconds, 1 to {LONGEST_MS}")
    return int(value)
