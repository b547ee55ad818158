"""Cutting HTTP/1.1 answers out of received bytes (RFC 9112, sections 6 and 7)."""

from __future__ import annotations

from typing import Final, NamedTuple

CLOSE: Final = -1
CHUNKED: Final = -2
MOST_HEAD_BYTES: Final = 64 * 1024


class Head(NamedTuple):
    """Status, length of the body (or `CLOSE`, `CHUNKED`), whether the connection ends with this answer."""

    status: int
    length: int
    last: bool


def parse_head(head: bytes) -> Head:
    """Read a status line with its headers. Raises `ValueError` where they are none."""
    lines = head.split(b"\r\n")
    version, _, rest = lines[0].partition(b" ")
    if version not in (b"HTTP/1.1", b"HTTP/1.0") or not rest[:3].isdigit():
        raise ValueError("not an HTTP/1.1 answer")
    status, length, last = int(rest[:3]), CLOSE, version == b"HTTP/1.0"
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        name, value = name.lower(), value.strip().lower()
        if name == b"content-length" and length != CHUNKED:
            if not value.isdigit():
                raise ValueError("a Content-Length that is no number")
            length = int(value)
        elif name == b"transfer-encoding" and value.endswith(b"chunked"):
            length = CHUNKED
        elif name == b"connection":
            last = value == b"close" or (last and value != b"keep-alive")
    if status < 200 or status in (204, 304):
        length = 0
    return Head(status, length, last or length == CLOSE)


def chunked_body(data: bytes, at: int) -> tuple[bytes, int] | None:
    """The body that begins at a place and where it ends; None where some of it is still to come. Raises `ValueError`."""
    parts: list[bytes] = []
    while (line := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:line].partition(b";")[0], 16)
        at = line + 2
        if size == 0:
            while (line := data.find(b"\r\n", at)) > at:  # trailers
                at = line + 2
            return (b"".join(parts), line + 2) if line == at else None
        if len(data) < at + size + 2:
            return None
        if size < 0 or data[at + size : at + size + 2] != b"\r\n":
            raise ValueError("a chunk that does not end where it should")
        parts.append(data[at : at + size])
        at += size + 2
    return None
