"""Cutting HTTP/1.1 answers out of received bytes (RFC 9112, sections 6 and 7)."""

from __future__ import annotations

from typing import Final, NamedTuple

_CLOSE: Final = -1
_CHUNKED: Final = -2
_MOST_HEAD_BYTES: Final = 64 * 1024
_MOST_HEADS: Final = 1000


class Answer(NamedTuple):
    """One whole answer, where it ends in what was received, and whether the connection ends with it."""

    status: int
    body: bytes
    end: int
    last: bool


class _Head(NamedTuple):
    """Status, length of the body (or `_CLOSE`, `_CHUNKED`), whether the connection ends with this answer."""

    status: int
    length: int
    last: bool


class Cutter:
    """Cuts answers. Remembers the heads it has read: a server's answers are mostly alike."""

    def __init__(self) -> None:
        self._heads: dict[bytes, _Head] = {}

    def cut(self, data: bytes, at: int, *, bodiless: bool = False, ended: bool = False) -> Answer | None:
        """The answer that begins at a place; None where some of it is still to come. Answers 1xx before it are left out.

        `bodiless`: the request was HEAD. `ended`: the connection was closed after `data`. Raises `ValueError` where this is
        no answer.
        """
        while True:
            body_at = data.find(b"\r\n\r\n", at) + 4
            if body_at == 3:
                if len(data) - at > _MOST_HEAD_BYTES:
                    raise ValueError("its headers do not end")
                return None
            text = data[at : body_at - 4]
            head = self._heads.get(text) or self._parse(text)
            if head.status >= 200:
                break
            at = body_at
        status, length, last = head
        if bodiless:
            return Answer(status, b"", body_at, last and length != _CLOSE)
        if length >= 0:
            end = body_at + length
            return None if end > len(data) else Answer(status, data[body_at:end], end, last)
        if length == _CHUNKED:
            found = _chunked_body(data, body_at)
            return None if found is None else Answer(status, *found, last)
        return Answer(status, data[body_at:], len(data), True) if ended else None

    def _parse(self, text: bytes) -> _Head:
        head = _parse_head(text)
        if len(self._heads) >= _MOST_HEADS:
            self._heads.clear()
        self._heads[text] = head
        return head


def _parse_head(head: bytes) -> _Head:
    lines = head.split(b"\r\n")
    version, _, rest = lines[0].partition(b" ")
    if version not in (b"HTTP/1.1", b"HTTP/1.0") or not rest[:3].isdigit():
        raise ValueError("not an HTTP/1.1 answer")
    status, length, last = int(rest[:3]), _CLOSE, version == b"HTTP/1.0"
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        name, value = name.lower(), value.strip().lower()
        if name == b"content-length" and length != _CHUNKED:
            if not value.isdigit():
                raise ValueError("a Content-Length that is no number")
            length = int(value)
        elif name == b"transfer-encoding" and value.endswith(b"chunked"):
            length = _CHUNKED
        elif name == b"connection":
            last = value == b"close" or (last and value != b"keep-alive")
    if status < 200 or status in (204, 304):
        length = 0
    return _Head(status, length, last or length == _CLOSE)


def _chunked_body(data: bytes, at: int) -> tuple[bytes, int] | None:
    """The body that begins at a place and where it ends; None where some of it is still to come."""
    parts: list[bytes] = []
    while (line := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:line].partition(b";")[0], 16)
        at = line + 2
        if size == 0:
            while (line := data.find(b"\r\n", at)) > at:  # trailers
                at = line + 2
            return (b"".join(parts), line + 2) if line == at else None
        if size < 0:
            raise ValueError("a chunk of less than nothing")
        if len(data) < at + size + 2:
            return None
        if data[at + size : at + size + 2] != b"\r\n":
            raise ValueError("a chunk that does not end where it should")
        parts.append(data[at : at + size])
        at += size + 2
    return None
