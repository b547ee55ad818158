"""A client that sends a batch of pipelined requests at once and returns their responses byte for byte."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar, cast

from harness.http.framing import Malformed
from harness.http.message import Broken, TransportError, Unreachable
from harness.http.moments import Watch, watch
from harness.http.pool import Connection, ConnectionPool
from harness.http.requests import RequestParser
from harness.http.responses import ReceivedResponse, ResponseParser
from harness.model.moment import Event
from harness.model.system import Address


class BatchedHttpClient:
    """Sends request batches to one address, one batch at a time per connection. Idle connections are kept for reuse.

    Responses are passed on unchanged, so chunked responses and responses that close their connection are refused.
    """

    POOL: ClassVar[type[ConnectionPool[Any]]] = ConnectionPool

    def __init__(self, address: Address) -> None:
        self.address = address
        self._pool: ConnectionPool[_Connection] = self.POOL(_Connection, address)
        self.requests = 0
        """How many were asked for so far …"""
        self.awaited = 0
        """… and how many are in exchanges that are not over …"""
        self.given_up = 0
        """… or were cancelled."""

    async def exchange(self, requests: bytes, count: int, *, timeout_s: float) -> tuple[Sequence[ReceivedResponse], str | None]:
        """Send `count` encoded requests. Returns their responses in order and, if some are missing, why."""
        connection = None
        until_s = asyncio.get_running_loop().time() + timeout_s
        self.requests += count
        self.awaited += count
        try:
            connection = self._pool.take_idle()
            if connection is None:
                async with asyncio.timeout_at(until_s):
                    connection = await self._pool.take()
            watched = connection.watch
            if watched.armed:
                asyncio.get_running_loop().call_soon(_pass, watched, Event.SENT, requests)
            await connection.exchange(requests, count, until_s)
            if watched.armed:
                _pass(watched, Event.HEARD, requests)
        except asyncio.CancelledError:
            self.given_up += count
            raise
        except TimeoutError:
            why = f"no {'answer' if connection else 'connection'} within {timeout_s:g} s"
        except TransportError as error:
            why = str(error)
        else:
            return connection.responses, None
        finally:  # also if it is cancelled, even just after the last response has come
            self.awaited -= count
            if connection is not None:
                self._pool.give_back(connection)
        return ([] if connection is None else connection.responses), why

    def close(self) -> None:
        """Close idle connections now, and each of the others when its batch is over."""
        self._pool.close()


def _pass(watched: Watch, event: Event, requests: bytes) -> None:
    """Report the path of each request to the watch."""
    for message in RequestParser().feed(requests):
        watched.passes(event, message.head.path)


class _Connection(Connection):
    def __init__(self) -> None:
        self.responses: list[ReceivedResponse] = []
        self._count = 0
        self._parser = ResponseParser()
        self.watch = watch()
        self._done: asyncio.Future[None] | None = None

    @property
    def reusable(self) -> bool:
        return len(self.responses) == self._count and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    async def exchange(self, data: bytes, count: int, until_s: float) -> None:
        """Send the batch. Raises `TimeoutError` at `until_s` of the loop's clock; a plain timer costs a quarter of
        `asyncio.timeout`."""
        if self._transport.is_closing():
            raise Unreachable("the connection was closed before the requests were sent")
        loop = asyncio.get_running_loop()
        self.responses, self._count = [], count
        self._done = loop.create_future()
        timer = loop.call_at(until_s, self._time_out, self._done)
        try:
            self._transport.write(data)
            await self._done
        finally:
            timer.cancel()

    def _time_out(self, done: asyncio.Future[None]) -> None:
        if not done.done():
            done.set_exception(TimeoutError())

    def close(self) -> None:
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"the connection ended before the answer{f': {exc}' if exc else ''}")

    def data_received(self, data: bytes) -> None:
        try:
            self._take(data)
        except Malformed as error:
            self._fail(f"the answer is not one that a batch allows: {error}")
            self._transport.abort()

    def _take(self, data: bytes) -> None:
        parser, responses, count = self._parser, self.responses, self._count
        parser.feed(data)
        parser.take_plain(responses, count)
        while len(responses) < count:
            response = parser.next()
            if response is None:
                return
            head = response.head
            if head.body_bytes < 0 or not head.keep_alive:
                raise Malformed("it is chunked or closes its connection")
            responses.append(response)
        if parser.unread_bytes:
            raise Malformed("more bytes came than were asked for")
        if self._done is not None and not self._done.done():
            self._done.set_result(None)

    def _fail(self, why: str) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(Broken(why))
