"""An HTTP/1.1 server for handlers that take one request at a time; it responds in the order of the requests."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, cast
from urllib.parse import parse_qsl, unquote

import httptools
import msgspec

from harness.http.message import MAX_BODY_BYTES, Request, Response, TooLong
from harness.http.writing import encode_response
from harness.model.system import Address

MAX_WAITING_REQUESTS: Final = 64
"""Pipelined requests read ahead on one connection; then the connection is not read until some are answered."""

Handler = Callable[[Request], Awaitable[Response]]


async def listen(handler: Handler, address: Address) -> asyncio.Server:
    """Start answering on an address (loopback, unless a node says otherwise). The server runs until it is closed."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: _ServerConnection(handler), *address, reuse_address=True, backlog=4096)


class _ServerConnection(asyncio.Protocol):
    """One accepted connection: the parser feeds a queue, one task answers from it in order."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._waiting: deque[tuple[Request | Response, bool]] = deque()
        """What is to be answered, and whether the connection goes on after it; what is bad has its answer already."""
        self._answering: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._reset()

    def _reset(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._body_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._parser = httptools.HttpRequestParser(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answering is not None:
            self._answering.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # an offer, not a demand: its request is answered, on a connection that then ends
            request, _ = self._waiting.pop()
            self._answer_last(request)
        except httptools.HttpParserError as error:
            reason = error.__context__ if isinstance(error, httptools.HttpParserCallbackError) else error
            self._answer_last(Response(400, f"bad request: {reason}".encode()))

    def on_headers_complete(self) -> None:
        if self._headers.get("expect", "").lower() == "100-continue" and self._answering is None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > MAX_BODY_BYTES:
            raise TooLong(f"a body of more than {MAX_BODY_BYTES} bytes")
        self._body.append(body)

    def on_message_complete(self) -> None:
        path, _, query = self._url.partition(b"?")
        request = Request(
            self._parser.get_method().decode("latin-1"),
            unquote(path.decode("latin-1")) if b"%" in path else path.decode("latin-1"),
            dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)) if query else {},
            self._headers,
            b"".join(self._body),
        )
        self._enqueue(request, keep_alive=self._parser.should_keep_alive())
        self._reset()

    def _answer_last(self, item: Request | Response) -> None:
        self._transport.pause_reading()
        self._enqueue(item, keep_alive=False)

    def _enqueue(self, item: Request | Response, *, keep_alive: bool) -> None:
        self._waiting.append((item, keep_alive))
        if self._answering is None:
            self._answering = asyncio.get_running_loop().create_task(self._answer())
        elif len(self._waiting) >= MAX_WAITING_REQUESTS:
            self._transport.pause_reading()

    async def _answer(self) -> None:
        try:
            while self._waiting:
                item, keep_alive = self._waiting.popleft()
                response = item if isinstance(item, Response) else await _respond(self._handler, item)
                with_body = not (isinstance(item, Request) and item.method == "HEAD")
                self._transport.write(encode_response(response, keep_alive=keep_alive, with_body=with_body))
                if not keep_alive:
                    self._transport.close()
                    return
                if len(self._waiting) < MAX_WAITING_REQUESTS // 2 and not (self._waiting and not self._waiting[-1][1]):
                    self._transport.resume_reading()
                await self._writable.wait()
        finally:
            self._answering = None


async def _respond(handler: Handler, request: Request) -> Response:
    try:
        return await handler(request)
    except msgspec.MsgspecError as error:
        return Response(400, f"bad request body: {error}".encode())
    except Exception:  # one request's failure is its answer, and is in the node's log
        traceback.print_exc(file=sys.stderr)
        return Response(500, b"internal error; see the node's log")
