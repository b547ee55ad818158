"""Parse responses from the bytes of a connection, however they are split."""

from __future__ import annotations

from functools import cached_property
from typing import Final

import httptools
import msgspec

from harness.http.framing import (
    CHUNKED,
    INTERIM,
    MAX_BODY_BYTES,
    UNTIL_CLOSE,
    ChunkedBody,
    HeadReader,
    KnownHeads,
    Unread,
    headers_of,
    long_body,
)
from harness.http.plain import count_right, take


class ResponseHead(msgspec.Struct, frozen=True, dict=True):
    """The parsed status line and headers of a response."""

    status: int
    size: int
    """The size of the head itself in bytes."""
    body_bytes: int
    """The body's length, or `CHUNKED`, `UNTIL_CLOSE` or `INTERIM`."""
    keep_alive: bool
    """Whether the connection stays open after this response, unless the body ends with the connection."""
    text: bytes = b""
    """The whole head as received."""

    @cached_property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Headers in order, names in lower case."""
        return tuple(headers_of(self.text))


class ReceivedResponse(msgspec.Struct, frozen=True, gc=False):  # never in a cycle
    """One complete response."""

    head: ResponseHead
    content: bytes
    """Head and body as received, but without chunk framing. The body begins at `head.size`."""

    @property
    def status(self) -> int:
        return self.head.status

    @property
    def body(self) -> bytes:
        return self.content[self.head.size :]


class ResponseParser:
    """Parses the responses of one connection. Interim responses (1xx) are skipped."""

    def __init__(self) -> None:
        self._unread = Unread()
        self._data = b""
        self._at = 0
        self._start: HeadReader[httptools.HttpResponseParser] | None = None
        self._open: tuple[ResponseHead, bytes, ChunkedBody | None] | None = None
        """A response of unannounced length whose head has come; without a decoder, it ends with the connection."""

    def feed(self, data: bytes) -> None:
        """Add received bytes. Then call `next` for their responses."""
        if self._at < len(self._data):
            data = self._data[self._at :] + data
        self._data = self._unread.add(data)
        self._at = 0

    @property
    def unread_bytes(self) -> int:
        """How many bytes have come beyond the responses returned so far."""
        return len(self._data) - self._at + self._unread.size

    def next(self, *, bodiless: bool = False) -> ReceivedResponse | None:
        """The next response; None until more bytes come. Raises `Malformed`.

        `bodiless`: it is the response to HEAD, which has no body whatever its head says.
        """
        data, at = self._data, self._at
        if self._open is not None:
            return self._continue(*self._open, data, at)
        while (body_at := data.find(b"\r\n\r\n", at) + 4) > 3:
            text = data[at:body_at]
            head = _known.get(text) or _remembered(text)
            end = body_at + head.body_bytes
            if end < body_at or bodiless:
                if head.body_bytes == INTERIM:
                    at = body_at
                    continue
                if not bodiless:
                    self._open = head, text, ChunkedBody(MAX_BODY_BYTES) if head.body_bytes == CHUNKED else None
                    return self._continue(*self._open, data, body_at)
                end = body_at
            if end > len(data):
                if head.body_bytes > MAX_BODY_BYTES:
                    raise long_body(MAX_BODY_BYTES)
                self._wait(data[at:], end - at)
                return None
            self._at, self._start = end, None
            return ReceivedResponse(head, data[at:end])
        rest = data[at:]
        start = self._start if at == 0 else None
        self._wait(rest, 0)
        if rest:  # refuse at once bytes that cannot become a head
            self._start = start or HeadReader(httptools.HttpResponseParser)
            self._start.feed_start(rest)
        return None

    def take_plain(self, responses: list[ReceivedResponse], count: int) -> None:
        """Append complete plain responses until there are `count`; get the others with `next`.

        None of the requests may be HEAD.
        """
        if self._open is None:
            at = take(self._data, self._at, _known.plain, ReceivedResponse, responses, count - len(responses), True)
            self._go_on(at)

    def take_right(self, which: list[int], expected: list[tuple[bytes, ...]]) -> int:
        """Skip responses that are plain and right, as in `count_right`, and return how many; get the others with `next`.

        None of the requests may be HEAD.
        """
        if self._open is not None:
            return 0
        count, at = count_right(self._data, self._at, _known.plain, which, expected)
        self._go_on(at)
        return count

    def _go_on(self, at: int) -> None:
        if at > self._at:
            self._at, self._start = at, None

    def end(self) -> ReceivedResponse | None:
        """The response that the end of the connection completes, if there is one."""
        if self._open is None or self._open[2] is not None:
            return None
        head, text, _ = self._open
        self._open = None
        return ReceivedResponse(head, text + self._unread.take())

    def _continue(
        self, head: ResponseHead, text: bytes, body: ChunkedBody | None, data: bytes, at: int
    ) -> ReceivedResponse | None:
        """Continue a response of unannounced length."""
        if body is None:
            if len(data) - at > MAX_BODY_BYTES:
                raise long_body(MAX_BODY_BYTES)
            self._wait(data[at:], MAX_BODY_BYTES + 1)
            return None
        end = body.feed(data, at)
        if end is None:
            self._wait(b"", 0)
            return None
        self._open = None
        self._at, self._start = end, None
        return ReceivedResponse(head, text + body.content())

    def _wait(self, rest: bytes, needed_bytes: int) -> None:
        self._unread.keep(rest, needed_bytes)
        self._data, self._at = b"", 0
        self._start = None


_known: Final = KnownHeads[ResponseHead]()


def _remembered(text: bytes) -> ResponseHead:
    head = _parse(text)
    plain = (head.body_bytes, head.status) if head.body_bytes >= 0 and head.keep_alive else None
    return _known.remember(text, head, plain)


def _parse(text: bytes) -> ResponseHead:
    reader = HeadReader(httptools.HttpResponseParser)
    reader.feed_whole(text)
    status = reader.parser.get_status_code()
    fields = reader.fields()
    if status < 200:
        body_bytes = INTERIM
    elif status in {204, 304}:
        body_bytes = 0
    elif fields.chunked:
        body_bytes = CHUNKED
    elif fields.encoded or fields.length is None:
        body_bytes = UNTIL_CLOSE
    else:
        body_bytes = fields.length
    return ResponseHead(status, len(text), body_bytes, fields.keep_alive, text)
