"""The one wire of this project: HTTP/1.1 with JSON bodies, so that curl, a browser, locust and Toxiproxy work on every node.

A server answers the requests of one connection in their order; a client keeps idle connections and never sends a request
twice. Its errors tell apart what surely did not act (`Unreachable`) from what may have (`Broken`, `TimedOut`).
"""

from __future__ import annotations

import asyncio
import http
import sys
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar, cast
from urllib.parse import parse_qsl, unquote

import httptools
import msgspec

T = TypeVar("T")
Address = tuple[str, int]
Headers = Sequence[tuple[str, str]]

MAX_BODY_BYTES: Final = 64 * 1024 * 1024
"""A request or answer longer than this ends its connection."""

MAX_WAITING_REQUESTS: Final = 64
"""Pipelined requests read ahead on one connection; then the connection is not read until some are answered."""


class WireError(Exception):
    """A request that brought no answer."""


class Unreachable(WireError):
    """No connection came about: the request was surely not sent."""


class Broken(WireError):
    """The connection ended before the whole answer had come: the request may have acted."""


class TimedOut(WireError):
    """No answer in time: the request may have acted, or may act yet."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as the server got it. Header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def decode(self, kind: type[T]) -> T:
        """The JSON body as `kind`; where it is not one, the server answers 400 with the reason."""
        return msgspec.json.decode(self.body, type=kind)


@dataclass(frozen=True, slots=True)
class Response:
    """One answer."""

    status: int = 200
    body: bytes = b""
    headers: Headers = ()

    @classmethod
    def json(cls, value: object, status: int = 200) -> Response:
        return cls(status, msgspec.json.encode(value), (("content-type", "application/json"),))

    def decode(self, kind: type[T]) -> T:
        """The JSON body as `kind`. Raises `msgspec.ValidationError` where it is not one."""
        return msgspec.json.decode(self.body, type=kind)


Handler = Callable[[Request], Awaitable[Response]]


# -------------------------------------------------------------------------------------------------------------- server


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
            raise _TooLong(f"a body of more than {MAX_BODY_BYTES} bytes")
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


class _TooLong(Exception):
    pass


async def _respond(handler: Handler, request: Request) -> Response:
    try:
        return await handler(request)
    except msgspec.MsgspecError as error:
        return Response(400, f"bad request body: {error}".encode())
    except Exception:  # one request's failure is its answer, and is in the node's log
        traceback.print_exc(file=sys.stderr)
        return Response(500, b"internal error; see the node's log")


_FRAMING: Final = frozenset({"connection", "content-length", "transfer-encoding"})
"""Headers that belong to a connection, not to an answer, so that a node can pass another's answer on as it is."""

_STATUS_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in http.HTTPStatus}


def encode_response(response: Response, *, keep_alive: bool = True, with_body: bool = True) -> bytes:
    """An answer as it goes on the wire."""
    parts = [_STATUS_LINES.get(response.status) or f"HTTP/1.1 {response.status} -\r\n".encode()]
    parts.extend(f"{name}: {value}\r\n".encode("latin-1") for name, value in response.headers if name.lower() not in _FRAMING)
    if not keep_alive:
        parts.append(b"connection: close\r\n")
    parts.append(b"content-length: %d\r\n\r\n" % len(response.body))
    if with_body:
        parts.append(response.body)
    return b"".join(parts)


# -------------------------------------------------------------------------------------------------------------- client


class Client:
    """Requests to one address, over as many connections as are in use at once; idle ones are kept for the next request."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._idle: list[_ClientConnection] = []
        self._host_header = f"host: {address[0]}:{address[1]}\r\n".encode()

    async def request(self, method: str, path: str, body: bytes = b"", *, timeout_s: float, headers: Headers = ()) -> Response:
        """Send one request and wait for its answer, whatever its status. Raises a `WireError` where none came."""
        head = [f"{method} {path} HTTP/1.1\r\n".encode("latin-1"), self._host_header]
        head.extend(f"{name}: {value}\r\n".encode("latin-1") for name, value in headers)
        head.append(b"content-length: %d\r\n\r\n" % len(body))
        head.append(body)
        connection = None
        try:
            async with asyncio.timeout(timeout_s):
                connection = self._take_idle() or await self._connect()
                response = await connection.exchange(b"".join(head))
        except TimeoutError as error:
            if connection is None:
                raise Unreachable(f"no connection to {self.address[0]}:{self.address[1]} within {timeout_s:g} s") from error
            raise TimedOut(f"no answer within {timeout_s:g} s") from error
        finally:
            if connection is not None:
                self._put_back(connection)
        return response

    def close(self) -> None:
        """Close the idle connections. Requests under way are not disturbed."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    def _take_idle(self) -> _ClientConnection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable:
                return connection
        return None

    async def _connect(self) -> _ClientConnection:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(_ClientConnection, *self.address)
        except OSError as error:
            raise Unreachable(f"no connection to {self.address[0]}:{self.address[1]}: {error.strerror or error}") from error
        return connection

    def _put_back(self, connection: _ClientConnection) -> None:
        if connection.reusable:
            self._idle.append(connection)
        else:
            connection.close()


class _ClientConnection(asyncio.Protocol):
    """One connection with at most one request in flight."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[Response] | None = None
        self._complete = True
        self._keep_alive = True

    @property
    def reusable(self) -> bool:
        """Open, and nothing is owed on it."""
        transport = self._transport
        return self._complete and self._keep_alive and transport is not None and not transport.is_closing()

    async def exchange(self, request: bytes) -> Response:
        assert self._transport is not None  # noqa: S101 - set before create_connection returns
        if self._transport.is_closing():
            raise Unreachable("the connection was closed before the request was sent")
        self._answer = asyncio.get_running_loop().create_future()
        self._complete = False
        self._headers: list[tuple[str, str]] = []
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(Broken(f"the connection ended before the answer{f': {exc}' if exc else ''}"))

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            reason = error.__context__ if isinstance(error, httptools.HttpParserCallbackError) else error
            self._fail(Broken(f"the answer is not HTTP that can be taken: {reason}"))
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > MAX_BODY_BYTES:
            raise _TooLong(f"a body of more than {MAX_BODY_BYTES} bytes")
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._complete = True
        self._keep_alive = self._parser.should_keep_alive()
        if self._answer is not None and not self._answer.done():
            response = Response(self._parser.get_status_code(), b"".join(self._body), tuple(self._headers))
            self._answer.set_result(response)

    def _fail(self, error: WireError) -> None:
        self._keep_alive = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
