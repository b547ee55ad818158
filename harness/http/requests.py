"""Parse requests from the bytes of a connection, however they are split.

Most requests of a connection have equal heads, so heads are looked up by their bytes, and only new ones are parsed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qsl, unquote

import httptools
import msgspec

from harness.http import deadlines
from harness.http.framing import (
    CHUNKED,
    LONG_BODY_BYTES,
    MAX_BODY_BYTES,
    ChunkedBody,
    HeadReader,
    KnownHeads,
    LongBody,
    Malformed,
    Unread,
    headers_of,
    long_body,
)
from harness.http.plain import take


class RequestHead(msgspec.Struct, frozen=True, dict=True):
    """The parsed first line and headers of a request. `path` is decoded and without its query."""

    method: str
    path: str
    body_bytes: int = 0
    """`CHUNKED` if the length is not announced."""
    keep_alive: bool = True
    """Whether the connection stays open after this request."""
    timeout_ms: int | None = None
    """How long the client waits for the response, by its `timeout-ms`; None if it does not say."""
    target: bytes = b""
    """Path and query as received."""
    text: bytes = b""
    """The whole head as received."""
    expects_continue: bool = False
    route: str = ""
    """Method and path, such as "GET /status": one comparison instead of two."""
    version: str = "1.1"

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """Headers by lower-case name; if a name occurs more than once, the last value."""
        return MappingProxyType(dict(headers_of(self.text)))

    @cached_property
    def query(self) -> Mapping[str, str]:
        """Decoded query parameters; if a name occurs more than once, the last value."""
        query = self.target.partition(b"?")[2]
        return MappingProxyType(dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)) if query else {})


class Message(msgspec.Struct, gc=False):  # never in a cycle, and there are too many for the garbage collector to visit
    """One request, and its complete response as bytes once there is one."""

    head: RequestHead
    body: bytes
    answer: bytes = b""


class RequestParser:
    """Parses the requests of one connection."""

    def __init__(self, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self.ended = False
        """Whether parsing is over: the last request closes the connection, or the input is malformed."""
        self.failure: Malformed | None = None
        self.bodiless = False
        """Whether a request was HEAD, whose response has no body."""
        self._max_body_bytes = max_body_bytes
        self._unread = Unread()
        self._start: HeadReader[httptools.HttpRequestParser] | None = None
        self._open: tuple[RequestHead, ChunkedBody | LongBody] | None = None
        """A request whose body comes in pieces."""
        self._expects_continue = False

    def feed(self, data: bytes) -> list[Message]:
        """The requests that these bytes complete, in order."""
        messages: list[Message] = []
        self._expects_continue = False
        if self.ended or (self._unread.size and not (data := self._unread.add(data))):
            return messages
        try:
            self._read(data, messages)
        except Malformed as error:
            self.failure = error
            self.ended = True
        return messages

    @property
    def in_request(self) -> bool:
        """Whether an incomplete request has come."""
        return bool(self._unread.size or self._open)

    def take_continue(self) -> bool:
        """Whether the client still waits for `100 Continue` before it sends a body. True only once per request."""
        expects, self._expects_continue = self._expects_continue, False
        return expects

    def _read(self, data: bytes, messages: list[Message]) -> None:
        at = needed_bytes = 0
        if self._open is not None:
            at = self._read_body(data, 0, messages)
            if self.ended:
                return
        while True:
            at = take(data, at, _known.plain, Message, messages, len(data), False)
            body_at = data.find(b"\r\n\r\n", at) + 4
            if body_at <= 3:
                break
            text = data[at:body_at]
            head = _known.get(text)
            if head is None:
                shown = text.lstrip(b"\r\n")  # empty lines before a request are skipped (RFC 9112, section 2.2)
                if not shown:
                    at = body_at
                    continue
                head = _parse(shown)
                plain = head.body_bytes >= 0 and head.keep_alive and head.method != "HEAD"
                _known.remember(text, head, (head.body_bytes, 0) if plain else None)
            end = body_at + head.body_bytes
            self.bodiless = self.bodiless or head.method == "HEAD"
            if head.body_bytes > self._max_body_bytes and end > len(data):
                raise long_body(self._max_body_bytes)
            if end < body_at or (end > len(data) and head.body_bytes >= LONG_BODY_BYTES):
                chunked = head.body_bytes == CHUNKED
                self._open = head, ChunkedBody(self._max_body_bytes) if chunked else LongBody(head.body_bytes)
                at = self._read_body(data, body_at, messages)
                self._expects_continue = head.expects_continue and self._open is not None
                if self.ended:
                    return
                continue
            if end > len(data):
                needed_bytes = end - at
                self._expects_continue = head.expects_continue
                break
            messages.append(Message(head, data[body_at:end]))
            at = end
            if not head.keep_alive:
                self.ended = True
                return
        rest = data[at:]
        self._unread.keep(rest, needed_bytes)
        if at or needed_bytes:
            self._start = None
        if rest and not needed_bytes:  # refuse at once bytes that cannot become a head
            self._start = self._start or HeadReader(httptools.HttpRequestParser)
            self._start.feed_start(rest)

    def _read_body(self, data: bytes, at: int, messages: list[Message]) -> int:
        """Continue a body that comes in pieces. Returns where it ends, or the end of the data."""
        assert self._open is not None  # noqa: S101 - both callers ensure it
        head, body = self._open
        end = body.feed(data, at)
        if end is None:
            return len(data)
        self._open = None
        messages.append(Message(head, body.content()))
        self.ended = not head.keep_alive
        return end


_known: Final = KnownHeads[RequestHead]()


def _parse(text: bytes) -> RequestHead:
    reader = HeadReader(httptools.HttpRequestParser)
    reader.feed_whole(text)
    method = reader.parser.get_method().decode("latin-1")
    fields = reader.fields()
    if fields.encoded and not fields.chunked:  # httptools refuses this too, unless the request offers an upgrade
        raise Malformed("a Transfer-Encoding that does not end with chunked: nobody can tell where the body ends")
    timeout = reader.found.relevant.get(b"timeout-ms")
    try:
        timeout_ms = None if timeout is None else deadlines.timeout_ms(timeout)
    except ValueError as error:
        raise Malformed(str(error)) from error
    path = reader.found.url.partition(b"?")[0].decode("latin-1")
    path = unquote(path) if "%" in path else path
    return RequestHead(
        method=method,
        path=path,
        route=f"{method} {path}",
        body_bytes=CHUNKED if fields.chunked else fields.length or 0,
        keep_alive=fields.keep_alive and fields.version == "1.1" and method != "CONNECT",
        timeout_ms=timeout_ms,
        target=reader.found.url,
        text=text,
        expects_continue=fields.version == "1.1" and reader.found.relevant.get(b"expect", b"").lower() == b"100-continue",
        version=fields.version,
    )
