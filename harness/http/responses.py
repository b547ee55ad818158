"""Responses, parsed from the bytes of a connection however they are split."""

from __future__ import annotations

from functools import cached_property
from typing import Final

import httptools
import msgspec

from harness.http.framing import (
    CHUNKED,
    MAX_BODY_BYTES,
    UNTIL_CLOSE,
    ChunkedBody,
    HeadReader,
    Unread,
    long_body,
    remember,
)


class ResponseHead(msgspec.Struct, frozen=True, dict=True):
    """What the status line and the headers of a response say."""

    status: int
    body_bytes: int
    """Or `CHUNKED`, or `UNTIL_CLOSE`."""
    keep_alive: bool
    """Whether the connection goes on after this response, unless the response ends with it."""
    fields: tuple[tuple[bytes, bytes], ...] = ()

    @cached_property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Names in lower case."""
        return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in self.fields)


class ReceivedResponse(msgspec.Struct, frozen=True):
    """One whole response."""

    head: ResponseHead
    content: bytes
    """The response as it came, head included; only the decoded body if it came in chunks or ended with the connection."""
    body_at: int
    """Where in `content` the body begins."""

    @property
    def status(self) -> int:
        return self.head.status

    @property
    def body(self) -> bytes:
        return self.content[self.body_at :]


class ResponseParser:
    """Takes responses out of one connection's bytes. Interim responses (1xx) are skipped."""

    def __init__(self) -> None:
        self._unread = Unread()
        self._data = b""
        self._at = 0
        self._start: HeadReader[httptools.HttpResponseParser] | None = None
        self._chunked: tuple[ResponseHead, ChunkedBody] | None = None
        self._until_close: ResponseHead | None = None

    def feed(self, data: bytes) -> None:
        """Take bytes in. Then ask for their responses by `next`."""
        if self._at < len(self._data):
            data = self._data[self._at :] + data
        self._data = self._unread.add(data)
        self._at = 0

    @property
    def unread_bytes(self) -> int:
        """How much has come beyond the responses that were returned."""
        return len(self._data) - self._at + self._unread.size

    def next(self, *, bodiless: bool = False) -> ReceivedResponse | None:
        """The next response; None until more bytes come. Raises `Malformed`.

        `bodiless`: it is the response to HEAD, which has no body whatever its head says.
        """
        data, at = self._data, self._at
        if self._chunked is not None:
            return self._next_chunked(data, at)
        while (body_at := data.find(b"\r\n\r\n", at) + 4) > 3 and self._until_close is None:
            text = data[at:body_at]
            head = _known.get(text) or remember(_known, text, _parse(text))
            if head.status < 200:
                at = body_at
                continue
            body_bytes = 0 if bodiless else head.body_bytes
            if body_bytes == CHUNKED:
                self._chunked = head, ChunkedBody(MAX_BODY_BYTES)
                return self._next_chunked(data, body_at)
            if body_bytes == UNTIL_CLOSE:
                self._until_close = head
                at = body_at
                break
            end = body_at + body_bytes
            if end > len(data):
                if body_bytes > MAX_BODY_BYTES:
                    raise long_body(MAX_BODY_BYTES)
                self._wait(data[at:], end - at)
                return None
            self._at = end
            return ReceivedResponse(head, data[at:end], body_at - at)
        rest = data[at:]
        if self._until_close is not None:
            if len(rest) > MAX_BODY_BYTES:
                raise long_body(MAX_BODY_BYTES)
            self._wait(rest, MAX_BODY_BYTES + 1)
            return None
        start = self._start if at == 0 else None
        self._wait(rest, 0)
        if rest:  # refuse at once what cannot become a head
            self._start = start or HeadReader(httptools.HttpResponseParser)
            self._start.feed_start(rest)
        return None

    def end(self) -> ReceivedResponse | None:
        """The connection has ended: the response that this completes, if there is one."""
        head, self._until_close = self._until_close, None
        return None if head is None else ReceivedResponse(head, self._unread.take(), 0)

    def _next_chunked(self, data: bytes, at: int) -> ReceivedResponse | None:
        assert self._chunked is not None  # noqa: S101 - both callers have seen to it
        head, body = self._chunked
        end = body.feed(data, at)
        if end is None:
            self._wait(b"", 0)
            return None
        self._chunked = None
        self._at = end
        return ReceivedResponse(head, body.content(), 0)

    def _wait(self, rest: bytes, needed_bytes: int) -> None:
        self._unread.keep(rest, needed_bytes)
        self._data, self._at = b"", 0
        self._start = None


_known: Final[dict[bytes, ResponseHead]] = {}


def _parse(text: bytes) -> ResponseHead:
    reader = HeadReader(httptools.HttpResponseParser)
    reader.feed_whole(text)
    status = reader.parser.get_status_code()
    fields = reader.fields()
    if status < 200 or status in {204, 304}:
        body_bytes = 0
    elif fields.chunked:
        body_bytes = CHUNKED
    elif fields.encoded or fields.length is None:
        body_bytes = UNTIL_CLOSE
    else:
        body_bytes = fields.length
    return ResponseHead(status, body_bytes, fields.keep_alive, tuple(reader.headers))
