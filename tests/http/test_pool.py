"""Connections are used again or closed, whatever becomes of what they were taken for; none is lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest
import uvloop

from harness.http.batched_client import BatchedHttpClient
from harness.http.client import HttpClient
from harness.http.message import Request, Response, TimedOut, Unreachable
from harness.http.pool import Account, Connection, ConnectionPool, account
from harness.http.server import listen
from harness.model.system import Address

HOST = "127.0.0.1"
REQUEST = b"GET /quick HTTP/1.1\r\ncontent-length: 0\r\n\r\n"
Exchange = Callable[[], Awaitable[object]]


async def handle(request: Request) -> Response:
    if request.path == "/never":
        await asyncio.Event().wait()
    return Response(200, b"ok")


def with_client(kind: str, scenario: Callable[[HttpClient | BatchedHttpClient, Exchange], Awaitable[None]]) -> None:
    async def run() -> None:
        server = await listen(handle, (HOST, 0))
        address: Address = server.sockets[0].getsockname()
        if kind == "one by one":
            single = HttpClient(address)
            await scenario(single, lambda: single.request("GET", "/quick", timeout_s=10))
        else:
            batched = BatchedHttpClient(address)
            await scenario(batched, lambda: batched.exchange(REQUEST, 1, timeout_s=10))
        server.close()

    uvloop.run(run())


def sockets() -> int:
    found = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # that of the listing itself
            found += str(descriptor.readlink()).startswith("socket:")
    return found


async def all_accounted_for(others: int) -> bool:
    """Whether every socket, except for this many others, is finally in use, idle, accepted or closed."""
    for _ in range(200):
        seen = account().seen()
        if sockets() - others == seen.accepted + seen.in_use + seen.idle:
            return True
        await asyncio.sleep(0.005)
    return False


@pytest.mark.parametrize("kind", ["one by one", "batched"])
def test_an_exchange_that_is_cancelled_as_its_answer_comes_loses_no_connection(kind: str) -> None:
    """The answer has come, and the task is cancelled before it runs on: as a hedged request whose two answers are tied."""

    async def scenario(client: HttpClient | BatchedHttpClient, exchange: Exchange) -> None:
        others, cancelled = sockets(), 0
        for _ in range(100):
            tied = [asyncio.ensure_future(exchange()) for _ in range(4)]
            await asyncio.wait(tied, return_when=asyncio.FIRST_COMPLETED)
            for task in tied:
                task.cancel()
            results = await asyncio.gather(*tied, return_exceptions=True)
            cancelled += sum(isinstance(result, asyncio.CancelledError) for result in results)
        assert cancelled
        assert await all_accounted_for(others)
        assert account().seen().idle <= 4
        client.close()
        assert await all_accounted_for(others)
        assert account().seen().idle == 0

    with_client(kind, scenario)


@pytest.mark.parametrize("kind", ["one by one", "batched"])
def test_closing_reaches_the_connections_that_are_in_use(kind: str) -> None:
    async def scenario(client: HttpClient | BatchedHttpClient, exchange: Exchange) -> None:
        under_way = asyncio.ensure_future(exchange())
        while not account().seen().in_use:
            await asyncio.sleep(0)
        client.close()
        await under_way
        assert (account().seen().in_use, account().seen().idle) == (0, 0)

    with_client(kind, scenario)


def test_a_connection_on_which_no_answer_comes_is_closed_though_its_request_cannot_leave() -> None:
    """The peer reads nothing: a close that waits until everything is sent would wait for ever."""

    async def run() -> None:
        async def deaf(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            await asyncio.Event().wait()

        server = await asyncio.start_server(deaf, HOST, 0)
        client = HttpClient(server.sockets[0].getsockname())
        others = sockets()
        with pytest.raises(TimedOut):
            await client.request("POST", "/", bytes(32 * 1024 * 1024), timeout_s=0.2)
        for _ in range(200):
            if sockets() - others <= 1:  # the accepting side's
                break
            await asyncio.sleep(0.005)
        assert sockets() - others <= 1
        server.close()

    uvloop.run(run())


def test_what_is_idle_beyond_the_most_ever_in_use_is_a_surplus() -> None:
    """A client created for each request and then dropped keeps one connection each time."""

    async def run() -> Account:
        server = await listen(handle, (HOST, 0))
        kept = [HttpClient(server.sockets[0].getsockname()) for _ in range(5)]
        for client in kept:
            await client.request("GET", "/quick", timeout_s=10)
        seen = account()
        assert (seen.seen().idle, seen.seen().surplus, seen.seen().opened) == (5, 4, 5)
        server.close()
        return seen

    asyncio.run(run())


class Silent(Connection):
    """A connection without traffic."""

    @property
    def reusable(self) -> bool:
        return True

    def close(self) -> None:
        self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)


def test_a_connection_that_is_opened_while_another_one_becomes_idle_is_no_surplus() -> None:
    """Both were needed when it was opened, although they were never in use at the same time."""

    async def run() -> None:
        server = await listen(handle, (HOST, 0))
        pool = ConnectionPool(Silent, server.sockets[0].getsockname())
        first = await pool.take()
        second = asyncio.ensure_future(pool.take())
        await asyncio.sleep(0)
        pool.give_back(first)
        pool.give_back(await second)
        assert (account().seen().idle, account().seen().surplus) == (2, 0)
        pool.close()
        server.close()

    asyncio.run(run())


def test_a_connection_that_does_not_come_about_is_not_in_use() -> None:
    async def run() -> None:
        server = await listen(handle, (HOST, 0))
        address: Address = server.sockets[0].getsockname()
        server.close()
        with pytest.raises(Unreachable):
            await HttpClient(address).request("GET", "/quick", timeout_s=10)
        assert account().seen().in_use == 0

    asyncio.run(run())
