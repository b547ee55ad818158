"""The messages from host to host, for looking at a run afterwards."""

from __future__ import annotations

from typing import Final

import msgspec

_HEAD_BYTES: Final = 400


class Message(msgspec.Struct, kw_only=True):
    """One write to a connection. `arrived_s` is None if it was lost, or had not arrived when the run ended."""

    sent_s: float
    source: str
    target: str
    text: str
    connection: int
    """The number of the connection, the same for both directions."""
    arrived_s: float | None = None


def text_of(data: bytes) -> str:
    """The readable part of a message: the first line, and a short body."""
    head, _, body = data[:_HEAD_BYTES].partition(b"\r\n\r\n")
    first = head.partition(b"\r\n")[0].decode(errors="replace")
    return f"{first} {body.decode(errors='replace')}".strip()
