"""The API's connections: they limit the time of requests, and answer them in order.

Requests are parsed and responses written as for every node (`harness.http`). But a connection behaves like one of Go's HTTP
server, which Toxiproxy uses: a complete request is carried out even if its client has left, a request must arrive in time, and
a malformed request is refused in Go's words.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Final, cast
from urllib.parse import unquote_to_bytes

import httptools

from faults.plane.address import Endpoint
from faults.plane.descriptors import Descriptors
from faults.plane.listener import Listener, bound
from harness.http.logs import log_exception, to_stderr
from harness.http.message import Request, Response
from harness.http.requests import Message, RequestHead, RequestParser
from harness.http.writing import CONTINUE, encode_response

MAX_WAITING_REQUESTS: Final = 64
"""A connection with this many unanswered pipelined requests is not read until half of them are answered."""
REQUEST_TIMEOUT_S: Final = 15.0
"""The connection is closed if a request takes longer than this to arrive."""
IDLE_TIMEOUT_S: Final = 60.0

_TEXT: Final = "text/plain; charset=utf-8"

Handler = Callable[[Request], Awaitable[Response]]


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
    """A malformed request. The connection closes after this answer."""

    def __init__(self, status: int, reason: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class _Connection(asyncio.Protocol):
    """One client of the API."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._parser = RequestParser()
        self._waiting: deque[tuple[RequestHead, Request] | _Refused] = deque()
        self._answering: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._deadline: asyncio.TimerHandle | None = None
        self._ended = False
        """Nothing more is read, and the connection is closed once every request read so far is answered."""

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
        if self._ended:
            return
        parser, going_on = self._parser, self._parser.in_request
        messages = parser.feed(data)
        if messages or not going_on:
            self._cancel_deadline()
            if parser.in_request:
                self._end_in(REQUEST_TIMEOUT_S)
            elif not messages and self._answering is None:
                self._end_in(IDLE_TIMEOUT_S)
        expecting = parser.take_continue() if not messages else messages[0].head.expects_continue
        if expecting and self._answering is None:
            self._transport.write(CONTINUE)
        for message in messages:
            try:
                request = _request(message)
            except _Refused as refused:
                self._refuse(refused)
                return
            self._add((message.head, request))
        if parser.failure is not None:
            self._refuse(_Refused(parser.failure.status))

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

    # ------------------------------------------------------------------------------------------------------- answering

    def _add(self, read: tuple[RequestHead, Request] | _Refused) -> None:
        self._waiting.append(read)
        if self._answering is None:
            self._answering = asyncio.get_running_loop().create_task(self._answer())
        elif len(self._waiting) >= MAX_WAITING_REQUESTS and not self._ended:
            self._transport.pause_reading()

    async def _answer(self) -> None:
        while self._waiting:
            read = self._waiting.popleft()
            encoded = _encoded_refusal(read) if isinstance(read, _Refused) else await self._handle(*read)
            if not self._transport.is_closing():
                self._transport.write(encoded)
            if isinstance(read, tuple) and not read[0].keep_alive:
                self._ended = True
                self._waiting.clear()
            elif len(self._waiting) < MAX_WAITING_REQUESTS // 2 and not self._ended:
                self._transport.resume_reading()
            await self._writable.wait()
        self._answering = None
        if self._ended:
            self._transport.close()
        elif not self._parser.in_request:
            self._end_in(IDLE_TIMEOUT_S)
        elif self._parser.take_continue():
            self._transport.write(CONTINUE)

    async def _handle(self, head: RequestHead, request: Request) -> bytes:
        try:
            response = await self._handler(request)
        except Exception as error:  # the client gets a 500, and the server goes on
            log_exception(to_stderr, error)
            response = Response(500, b"internal error; see the server's log\n", (("Content-Type", _TEXT),))
        dated = Response(response.status, response.body, (*response.headers, ("Date", formatdate(usegmt=True))))
        return encode_response(dated, keep_alive=head.keep_alive, with_body=head.method != "HEAD", version=head.version)


def _request(message: Message) -> Request:
    head = message.head
    if head.version == "1.1" and "host" not in head.headers:
        raise _Refused(400, ": missing required Host header")
    return Request(head.method, _path(head.target), head.query, head.headers, message.body)


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


def _encoded_refusal(refused: _Refused) -> bytes:
    """The answer to a request that cannot be read, in Go's words, which put the reason into the status line."""
    phrase = f"{refused.status} {http.HTTPStatus(refused.status).phrase}{refused.reason}"
    head = f"HTTP/1.1 {phrase}\r\nContent-Type: {_TEXT}\r\nConnection: close\r\n\r\n{phrase}"
    return head.encode()
