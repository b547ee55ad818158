"""What was sent from host to host, for whoever looks at a run afterwards."""

from __future__ import annotations

from typing import Final

import msgspec

_HEAD_BYTES: Final = 400


class Message(msgspec.Struct, kw_only=True):
    """One write to a connection. `arrived_s` is None for one that was lost, or had not come in the end."""

    sent_s: float
    source: str
    target: str
    text: str
    connection: int
    """On which connection; both directions have the same number."""
    arrived_s: float | None = None


def text_of(data: bytes) -> str:
    """What a message says, as far as a person reads it: the first line, and a short body."""
    head, _, body = data[:_HEAD_BYTES].partition(b"\r\n\r\n")
    first = head.partition(b"\r\n")[0].decode(errors="replace")
    return f"{first} {body.decode(errors='replace')}".strip()
