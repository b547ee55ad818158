"""The HTTP/1.1 server under the API: parses, bounds and times out requests, and answers those of a connection in order."""

from __future__ import annotations

import asyncio
import contextlib
import http
import sys
import traceback
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Final, cast
from urllib.parse import unquote_to_bytes

import httptools

MAX_HEAD_BYTES: Final = 1 << 20
MAX_BODY_BYTES: Final = 1 << 20
MAX_WAITING_REQUESTS: Final = 64
"""Pipelined requests read ahead on one connection; then it is not read until some are answered."""
REQUEST_TIMEOUT_S: Final = 15.0
"""A request that has begun is complete by then, or its connection is closed."""
IDLE_TIMEOUT_S: Final = 60.0


@dataclass(slots=True)
class Request:
    """One request; header names in lower case, the path decoded."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    version: str
    keep_alive: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered with."""

    status: int
    body: bytes = b""
    content_type: str = ""
    headers: tuple[tuple[str, str], ...] = field(default=())


Handler = Callable[[Request], Awaitable[Answer]]


async def serve(handler: Handler, host: str, port: int) -> asyncio.Server:
    """Begin to answer on an address. Raises `OSError` where it cannot be had."""
    return await asyncio.get_running_loop().create_server(lambda: _Connection(handler), host, port, backlog=1024)


class _Refused(Exception):
    """A request too broken to be handled; the connection ends with this answer."""

    def __init__(self, status: int, reason: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class _Connection(asyncio.Protocol):
    """One client of the API."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Request] = deque()
        self._answering: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._deadline: asyncio.TimerHandle | None = None
        self._begin_request()

    def _begin_request(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._head_bytes = 0
        self._in_request = False

    # ------------------------------------------------------------------------------------------------- from the socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._close_in(IDLE_TIMEOUT_S)

    def connection_lost(self, error: Exception | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        if self._answering is not None:
            self._answering.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        if not self._in_request:
            self._in_request = True
            self._close_in(REQUEST_TIMEOUT_S)
        try:
            self._count_head(len(data))
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # the request is complete, and answered as any other; what follows it is not read
        except _Refused as refused:
            self._refuse(refused)
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause if isinstance(cause, _Refused) else _Refused(400))

    def _count_head(self, size: int) -> None:
        if not self._body:
            self._head_bytes += size
            if self._head_bytes > MAX_HEAD_BYTES + MAX_BODY_BYTES:
                raise _Refused(431)

    def _refuse(self, refused: _Refused) -> None:
        """Go's own words for a request that cannot be read."""
        phrase = f"{refused.status} {http.HTTPStatus(refused.status).phrase}{refused.reason}"
        head = f"HTTP/1.1 {phrase}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n{phrase}"
        self._transport.write(head.encode())
        self._transport.close()

    def _close_in(self, seconds: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = asyncio.get_running_loop().call_later(seconds, self._transport.close)

    # ------------------------------------------------------------------------------------------------- from the parser

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._check_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")
        self._check_head(len(name) + len(value))

    def _check_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            raise _Refused(431)

    def on_headers_complete(self) -> None:
        if self._headers.get("expect", "").lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        if len(self._body) <= MAX_BODY_BYTES:  # one byte too many tells the handler
            self._body += body

    def on_message_complete(self) -> None:
        version = self._parser.get_http_version()
        if version == "1.1" and "host" not in self._headers:
            raise _Refused(400, ": missing required Host header")
        method = self._parser.get_method().decode("latin-1")
        keep_alive = self._parser.should_keep_alive() and not self._parser.should_upgrade()
        self._waiting.append(Request(method, _path(self._url), self._headers, bytes(self._body), version, keep_alive))
        self._begin_request()
        self._close_in(IDLE_TIMEOUT_S)
        if self._answering is None:
            self._answering = asyncio.get_running_loop().create_task(self._answer())
        elif len(self._waiting) >= MAX_WAITING_REQUESTS:
            self._transport.pause_reading()

    # ------------------------------------------------------------------------------------------------------- answering

    async def _answer(self) -> None:
        try:
            while self._waiting:
                request = self._waiting.popleft()
                self._transport.write(_encode(await self._handle(request), request))
                if not request.keep_alive:
                    self._transport.close()
                    return
                if len(self._waiting) < MAX_WAITING_REQUESTS // 2 and not self._transport.is_closing():
                    self._transport.resume_reading()
                await self._writable.wait()
        finally:
            self._answering = None

    async def _handle(self, request: Request) -> Answer:
        try:
            return await self._handler(request)
        except Exception:  # one request's failure is its answer; the server lives
            traceback.print_exc(file=sys.stderr)
            return Answer(500, b"internal error; see the server's log\n", "text/plain; charset=utf-8")


def _path(url: bytes) -> str:
    """The decoded path of a request's target."""
    path = b""
    with contextlib.suppress(httptools.HttpParserInvalidURLError):
        path = httptools.parse_url(url).path or b"/"
    percent = path.find(b"%")
    while percent >= 0:
        digits = path[percent + 1 : percent + 3]
        if len(digits) < 2 or not all(digit in b"0123456789abcdefABCDEF" for digit in digits):
            raise _Refused(400)
        percent = path.find(b"%", percent + 3)
    if not path:
        raise _Refused(400)
    return unquote_to_bytes(path).decode("utf-8", "replace")


def _encode(answer: Answer, request: Request) -> bytes:
    lines = [f"HTTP/{request.version} {answer.status} {http.HTTPStatus(answer.status).phrase}"]
    if answer.content_type:
        lines.append(f"Content-Type: {answer.content_type}")
    lines.extend(f"{name}: {value}" for name, value in answer.headers)
    lines.append(f"Date: {formatdate(usegmt=True)}")
    if answer.status != http.HTTPStatus.NO_CONTENT:
        lines.append(f"Content-Length: {len(answer.body)}")
    if not request.keep_alive:
        lines.append("Connection: close")
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")
    return head if request.method == "HEAD" else head + answer.body
