"""The HTTP/1.1 server under the API: parses requests, limits their size and time, and answers them in order.

A request that has been read completely is carried out even if its client has left. An offer to upgrade is declined: the
request is answered as if the offer were absent.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import socket
import sys
import traceback
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Final, cast
from urllib.parse import unquote_to_bytes

import httptools

from faults.plane.address import Endpoint
from faults.plane.descriptors import Descriptors
from faults.plane.listener import Listener, bound

MAX_HEAD_BYTES: Final = 1 << 20
MAX_BODY_BYTES: Final = 1 << 20
MAX_WAITING_REQUESTS: Final = 64
"""A connection with this many unanswered pipelined requests is not read until half of them are answered."""
REQUEST_TIMEOUT_S: Final = 15.0
"""The connection is closed if a request takes longer than this to arrive."""
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
    """The answer to a request."""

    status: int
    body: bytes = b""
    content_type: str = ""
    headers: tuple[tuple[str, str], ...] = field(default=())


Handler = Callable[[Request], Awaitable[Answer]]


def serve(handler: Handler, endpoint: Endpoint, descriptors: Descriptors) -> Listener:
    """Listen on an address and answer. Raises `OSError` if the address cannot be used."""
    loop = asyncio.get_running_loop()
    attaching: set[asyncio.Task[object]] = set()

    def accepted(sock: socket.socket) -> None:
        task = loop.create_task(loop.connect_accepted_socket(lambda: _Connection(handler), sock))
        attaching.add(task)
        task.add_done_callback(attaching.discard)

    return Listener(bound(endpoint, descriptors), accepted, descriptors)


class _Refused(Exception):
    """A request that cannot be read. The connection ends after this answer."""

    def __init__(self, status: int, reason: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class _Connection(asyncio.Protocol):
    """One client of the API."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._waiting: deque[Request | _Refused] = deque()
        self._answering: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._deadline: asyncio.TimerHandle | None = None
        self._ended = False
        """Nothing more is read, and the connection is closed once every request read so far is answered."""
        self._begin_request()
        self._parser = httptools.HttpRequestParser(self)

    def _begin_request(self) -> None:
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()
        self._head_bytes = 0
        self._in_request = False

    # ------------------------------------------------------------------------------------------------- from the socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._end_in(IDLE_TIMEOUT_S)

    def connection_lost(self, error: Exception | None) -> None:
        self._ended = True
        self._cancel_deadline()
        self._writable.set()

    def eof_received(self) -> bool:
        self._end()
        return True  # keep the socket open for the answers

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        while data and not self._ended:
            if not self._in_request:
                self._in_request = True
                self._end_in(REQUEST_TIMEOUT_S)
            data = self._parse(data)

    def _parse(self, data: bytes) -> bytes:
        """Feed the parser. Returns the bytes that it still has to be fed."""
        try:
            self._count_head(len(data))
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return self._without_upgrade() + data[upgrade.args[0] :]
        except _Refused as refused:
            self._refuse(refused)
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause if isinstance(cause, _Refused) else _Refused(400))
        return b""

    def _without_upgrade(self) -> bytes:
        """The head of a request that offers an upgrade, with the offer left out.

        httptools takes everything after such a head, even the request's body, for another protocol.
        """
        parser, self._parser = self._parser, httptools.HttpRequestParser(self)
        if parser.get_method() == b"CONNECT":
            return b""
        lines = [b"%s %s HTTP/%s" % (parser.get_method(), self._url, parser.get_http_version().encode())]
        lines += [name + b": " + value for name, value in self._headers if name.lower() != b"upgrade"]
        self._begin_request()
        self._in_request = True
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def _count_head(self, size: int) -> None:
        if not self._body:
            self._head_bytes += size
            if self._head_bytes > MAX_HEAD_BYTES + MAX_BODY_BYTES:
                raise _Refused(431)

    def _refuse(self, refused: _Refused) -> None:
        self._add(refused)
        self._end()

    def _end_in(self, seconds: float) -> None:
        self._cancel_deadline()
        self._deadline = asyncio.get_running_loop().call_later(seconds, self._end)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end(self) -> None:
        self._ended = True
        self._cancel_deadline()
        if self._answering is None:
            self._transport.close()

    # ------------------------------------------------------------------------------------------------- from the parser

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._check_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))
        self._check_head(len(name) + len(value))

    def _check_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            raise _Refused(431)

    def on_headers_complete(self) -> None:
        expects = any(name.lower() == b"expect" and value.lower() == b"100-continue" for name, value in self._headers)
        if expects and not self._read_again and self._answering is None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        if len(self._body) <= MAX_BODY_BYTES:  # one byte too many is enough for the handler to notice
            self._body += body

    def on_message_complete(self) -> None:
        if self._read_again:
            return
        version = self._parser.get_http_version()
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self._headers}
        if version == "1.1" and "host" not in headers:
            raise _Refused(400, ": missing required Host header")
        method = self._parser.get_method().decode("latin-1")
        keep_alive = self._parser.should_keep_alive() and method != "CONNECT"
        self._add(Request(method, _path(self._url), headers, bytes(self._body), version, keep_alive))
        self._begin_request()
        self._cancel_deadline()

    @property
    def _read_again(self) -> bool:
        """Whether the current request offers an upgrade. It will be parsed again without the offer."""
        return self._parser.should_upgrade() and self._parser.get_method() != b"CONNECT"

    # ------------------------------------------------------------------------------------------------------- answering

    def _add(self, read: Request | _Refused) -> None:
        self._waiting.append(read)
        if self._answering is None:
            self._answering = asyncio.get_running_loop().create_task(self._answer())
        elif len(self._waiting) >= MAX_WAITING_REQUESTS and not self._ended:
            self._transport.pause_reading()

    async def _answer(self) -> None:
        while self._waiting:
            read = self._waiting.popleft()
            answer = _encoded_refusal(read) if isinstance(read, _Refused) else _encode(await self._handle(read), read)
            if not self._transport.is_closing():
                self._transport.write(answer)
            if isinstance(read, Request) and not read.keep_alive:
                self._ended = True
                self._waiting.clear()
            elif len(self._waiting) < MAX_WAITING_REQUESTS // 2 and not self._ended:
                self._transport.resume_reading()
            await self._writable.wait()
        self._answering = None
        if self._ended:
            self._transport.close()
        elif not self._in_request:
            self._end_in(IDLE_TIMEOUT_S)

    async def _handle(self, request: Request) -> Answer:
        try:
            return await self._handler(request)
        except Exception:  # the client gets a 500, and the server goes on
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


def _encoded_refusal(refused: _Refused) -> bytes:
    """The answer to a request that cannot be read, in Go's words."""
    phrase = f"{refused.status} {http.HTTPStatus(refused.status).phrase}{refused.reason}"
    head = f"HTTP/1.1 {phrase}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n{phrase}"
    return head.encode()
