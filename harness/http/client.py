"""An HTTP/1.1 client: connections are reused, and no request is ever sent twice."""

from __future__ import annotations

import asyncio
from typing import cast

import httptools

from harness.http.message import MAX_BODY_BYTES, Broken, Headers, Response, TimedOut, TooLong, TransportError, Unreachable
from harness.model.system import Address


class HttpClient:
    """Requests to one address, over as many connections as are in use at once; idle ones are kept for the next request."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._idle: list[_ClientConnection] = []
        self._host_header = f"host: {address[0]}:{address[1]}\r\n".encode()

    async def request(self, method: str, path: str, body: bytes = b"", *, timeout_s: float, headers: Headers = ()) -> Response:
        """Send one request and wait for its answer, whatever its status. Raises a `TransportError` where none came."""
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
            raise TooLong(f"a body of more than {MAX_BODY_BYTES} bytes")
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._complete = True
        self._keep_alive = self._parser.should_keep_alive()
        if self._answer is not None and not self._answer.done():
            response = Response(self._parser.get_status_code(), b"".join(self._body), tuple(self._headers))
            self._answer.set_result(response)

    def _fail(self, error: TransportError) -> None:
        self._keep_alive = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
