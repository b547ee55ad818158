"""An HTTP/1.1 client that reuses connections and never sends a request twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import cast

from harness.http.framing import Malformed
from harness.http.message import Broken, Headers, Pieces, Response, TimedOut, TransportError, Unreachable
from harness.http.moments import watch
from harness.http.pool import Connection, ConnectionPool
from harness.http.responses import ReceivedResponse, ResponseParser
from harness.http.writing import request_parts
from harness.model.moment import Event
from harness.model.system import Address


@dataclass
class Tally:
    """What became of a client's requests so far."""

    awaited: int = 0
    """Not over yet."""
    answered: Counter[int] = field(default_factory=Counter)
    """By status."""
    unanswered: int = 0
    given_up: int = 0
    """Cancelled by the caller."""

    @property
    def ended(self) -> int:
        """Answered or not, but not given up."""
        return self.unanswered + self.answered.total()


class HttpClient:
    """Sends requests to one address, each on a connection of its own while in flight. Idle connections are kept for reuse."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.tally = Tally()
        self._pool = ConnectionPool(_Connection, address)
        self._host = f"{address[0]}:{address[1]}"

    async def request(
        self, method: str, path: str, body: bytes | Pieces = b"", *, timeout_s: float, headers: Headers = ()
    ) -> Response:
        """Send one request and wait for its response, whatever its status. Raises a `TransportError` if there is none.

        The pieces of a long body may not change until the response is there.
        """
        request = request_parts(method, path, host=self._host, headers=headers, body=body)
        tally = self.tally
        tally.awaited += 1
        try:
            received = await self._exchange(request, path, timeout_s, bodiless=method == "HEAD")
        except TransportError:
            tally.unanswered += 1
            raise
        except asyncio.CancelledError:
            tally.given_up += 1
            raise
        finally:
            tally.awaited -= 1
        tally.answered[received.head.status] += 1
        return Response(received.head.status, received.body, received.head.headers)

    async def _exchange(self, request: Pieces, path: str, timeout_s: float, *, bodiless: bool) -> ReceivedResponse:
        until_s = asyncio.get_running_loop().time() + timeout_s
        connection = self._pool.take_idle()
        if connection is None:
            try:
                async with asyncio.timeout_at(until_s):
                    connection = await self._pool.connect()
            except TimeoutError as error:
                raise Unreachable(f"no connection to {self._host} within {timeout_s:g} s") from error
        try:
            return await connection.exchange(request, path, until_s, bodiless=bodiless)
        except TimeoutError as error:
            raise TimedOut(f"no answer within {timeout_s:g} s") from error
        finally:
            self._pool.give_back(connection)

    def close(self) -> None:
        """Close idle connections now, and each of the others when its request is over."""
        self._pool.close()


class _Connection(Connection):
    """One connection with at most one request in flight."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = ResponseParser()
        self._response: asyncio.Future[ReceivedResponse] | None = None
        self._bodiless = False
        self._keep_alive = True

    @property
    def reusable(self) -> bool:
        """Whether it is open and has no request in flight."""
        transport = self._transport
        return self._response is None and self._keep_alive and transport is not None and not transport.is_closing()

    async def exchange(self, request: Pieces, path: str, until_s: float, *, bodiless: bool) -> ReceivedResponse:
        """Send the pieces of a request and wait for its response. Raises `TimeoutError` at `until_s` of the loop's clock."""
        assert self._transport is not None  # noqa: S101 - set before create_connection returns
        if self._transport.is_closing():
            raise Unreachable("the connection was closed before the request was sent")
        loop, watched = asyncio.get_running_loop(), self._watch
        response: asyncio.Future[ReceivedResponse] = loop.create_future()
        self._response = response
        self._bodiless = bodiless
        self._transport.writelines(request)
        if watched.armed:
            loop.call_soon(watched.passes, Event.SENT, path)  # the loop writes at the end of its iteration
        timer = loop.call_at(until_s, _expire, response)  # a fraction of the cost of `asyncio.timeout`
        try:
            received = await response
        finally:
            timer.cancel()
        watched.passes(Event.HEARD, path)
        return received

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()  # not `close`, which waits until everything is sent: for ever, if the peer hangs

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._watch = watch()

    def connection_lost(self, exc: Exception | None) -> None:
        received = self._parser.end() if exc is None else None
        if received is not None:
            self._finish(received)
        self._fail(Broken(f"the connection ended before the answer{f': {exc}' if exc else ''}"))

    def data_received(self, data: bytes) -> None:
        if self._response is None:  # no request is in flight
            self._keep_alive = False
            self.close()
            return
        try:
            self._parser.feed(data)
            received = self._parser.next(bodiless=self._bodiless)
        except Malformed as error:
            self._fail(Broken(f"the answer is not valid HTTP: {error}"))
            self.close()
            return
        if received is not None:
            self._finish(received)

    def _finish(self, received: ReceivedResponse) -> None:
        self._keep_alive = received.head.keep_alive and not self._parser.unread_bytes
        response, self._response = self._response, None
        if response is not None and not response.done():
            response.set_result(received)

    def _fail(self, error: TransportError) -> None:
        self._keep_alive = False
        if self._response is not None and not self._response.done():
            self._response.set_exception(error)


def _expire(response: asyncio.Future[ReceivedResponse]) -> None:
    if not response.done():
        response.set_exception(TimeoutError())
