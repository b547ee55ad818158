"""Server and client, with each other and with bare sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.http.client import HttpClient
from harness.http.framing import MAX_BODY_BYTES
from harness.http.message import Broken, Request, Response, TimedOut, Unreachable
from harness.http.pool import account
from harness.http.server import MAX_WAITING_REQUESTS, listen
from harness.model.system import Address
from tests.helpers.closing import closing
from tests.helpers.effort import cases


class Sum(msgspec.Struct):
    a: int
    b: int


async def handle(request: Request) -> Response:
    match request.path:
        case "/slow":
            await asyncio.sleep(0.05)
        case "/never":
            await asyncio.Event().wait()
        case "/sum":
            asked = request.decode(Sum)
            return Response.json(asked.a + asked.b)
        case "/fail":
            raise ZeroDivisionError
        case "/size":
            return Response.json(len(request.body))
        case "/big":
            return Response(200, b"x" * int(request.query["bytes"]))
        case "/nothing":
            return Response(204)
        case "/headers":
            return Response.json(dict(request.headers))
    return Response(200, f"{request.method} {request.path} {dict(request.query)}".encode(), (("x-by", "test"),))


@asynccontextmanager
async def serving() -> AsyncIterator[Address]:
    async with closing(listen(handle, ("127.0.0.1", 0))) as server:
        yield server.sockets[0].getsockname()


async def said(address: Address, *parts: bytes, eof: bool = False) -> bytes:
    """Everything the server sends until it closes. With `eof`, the client half-closes after its parts."""
    reader, writer = await asyncio.open_connection(*address)
    for part in parts:
        writer.write(part)
        await asyncio.sleep(0)
    if eof:
        writer.write_eof()
    out = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return out


def run(scenario: Callable[[Address], Awaitable[None]]) -> None:
    async def main() -> None:
        async with serving() as address:
            await scenario(address)

    uvloop.run(main())


GET = b"GET %b HTTP/1.1\r\n\r\n"
LAST = b"GET %b HTTP/1.1\r\nconnection: close\r\n\r\n"


def test_pipelined_requests_are_answered_in_their_order() -> None:
    async def scenario(address: Address) -> None:
        text = await said(address, GET % b"/slow" + GET % b"/a" + GET % b"/slow" + LAST % b"/b")
        assert [text.index(b"GET %b {}" % path) for path in (b"/slow", b"/a", b"/b")] == sorted(
            text.index(b"GET %b {}" % path) for path in (b"/slow", b"/a", b"/b")
        )
        assert text.count(b"HTTP/1.1 200 OK") == 4

    run(scenario)


def test_many_more_pipelined_requests_than_are_read_ahead() -> None:
    async def scenario(address: Address) -> None:
        count = 50 * MAX_WAITING_REQUESTS
        text = await said(address, b"".join(GET % b"/%d" % number for number in range(count)) + LAST % b"/end")
        assert text.count(b"HTTP/1.1 200 OK") == count + 1
        assert text.endswith(b"GET /end {}")

    run(scenario)


def test_a_request_in_single_bytes_and_one_in_chunks() -> None:
    async def scenario(address: Address) -> None:
        text = await said(address, *(bytes([byte]) for byte in LAST % b"/a?x=1&y=%20&x=2"))
        assert text.endswith(b"GET /a {'x': '2', 'y': ' '}")
        chunked = (
            b"POST /size HTTP/1.1\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        )
        assert (await said(address, chunked)).endswith(b"\r\n\r\n5")

    run(scenario)


def test_a_bad_request_is_refused_after_good_ones_are_answered() -> None:
    async def scenario(address: Address) -> None:
        text = await said(address, GET % b"/slow" + GET % b"/b" + b"nonsense\r\n\r\n" + GET % b"/after")
        good, bad = text.index(b"GET /b {}"), text.index(b"HTTP/1.1 400 Bad Request")
        assert text.index(b"GET /slow {}") < good < bad
        assert b"/after" not in text

    run(scenario)


def test_upgrade_head_http_1_0_no_content_and_expect() -> None:
    async def scenario(address: Address) -> None:
        upgrade = b"GET /a HTTP/1.1\r\nconnection: %b\r\nupgrade: h2c\r\n\r\n"
        assert (await said(address, upgrade % b"upgrade, close")).endswith(b"GET /a {}")
        both = await said(address, upgrade % b"upgrade" + LAST % b"/b")
        assert b"GET /a {}" in both
        assert both.endswith(b"GET /b {}")
        head = await said(address, b"HEAD /a HTTP/1.1\r\nconnection: close\r\n\r\n")
        assert b"content-length: 10" in head
        assert head.endswith(b"\r\n\r\n")
        old = await said(address, b"GET /a HTTP/1.0\r\n\r\n" + GET % b"/never-reached")
        assert old.endswith(b"GET /a {}")
        sized = b"POST /size HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c\r\ncontent-length: 3\r\n\r\nabc"
        assert b"\r\n\r\n3" in await said(address, sized + LAST % b"/b")
        empty = await said(address, LAST % b"/nothing")
        assert empty.startswith(b"HTTP/1.1 204 ") and b"content-length" not in empty
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"POST /size HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
        assert await asyncio.wait_for(reader.readline(), 10) == b"HTTP/1.1 100 Continue\r\n"
        writer.write(b"ab")
        assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n2"), 10)
        writer.close()

    run(scenario)


def test_expect_gets_100_continue_once_earlier_requests_are_answered() -> None:
    async def scenario(address: Address) -> None:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(GET % b"/slow" + b"POST /size HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
        await asyncio.wait_for(reader.readuntil(b"GET /slow {}"), 10)
        assert await asyncio.wait_for(reader.readline(), 10) == b"HTTP/1.1 100 Continue\r\n"
        writer.write(b"ab")
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n2"), 10)
        writer.close()

    run(scenario)


@settings(max_examples=cases(60), deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200), st.text("GET POST/ HTP1.:\r\n0aéÿ%?&=", max_size=80).map(lambda text: text.encode("latin-1"))
    )
)
def test_garbage_is_refused_and_the_server_lives(garbage: bytes) -> None:
    async def scenario(address: Address) -> None:
        await said(address, garbage, eof=True)
        assert (await HttpClient(address).request("GET", "/a", timeout_s=10)).status == 200

    run(scenario)


def test_a_client_keeps_its_connection_and_reads_json() -> None:
    async def scenario(address: Address) -> None:
        client = HttpClient(address)
        assert (await client.request("POST", "/sum", b'{"a":1,"b":2}', timeout_s=10)).decode(int) == 3
        reply = await client.request("GET", "/x?y=%C3%A9", timeout_s=10, headers=(("x-test", "1"),))
        assert (reply.body.decode(), dict(reply.headers)["x-by"]) == ("GET /x {'y': 'é'}", "test")
        assert "host" in (await client.request("GET", "/headers", timeout_s=10)).decode(dict)
        assert (account().seen().idle, account().seen().opened) == (1, 1)
        client.close()

    run(scenario)


def test_a_handler_that_cannot_decode_something_else_than_its_request_is_a_500(capsys: pytest.CaptureFixture[str]) -> None:
    """It may have had its effect by then, but clients take a 400 as proof of none."""

    async def handler(request: Request) -> Response:
        answer = Response(200, b"damaged on its way")
        return Response.json(answer.decode(int))

    async def main() -> None:
        server = await listen(handler, ("127.0.0.1", 0))
        client = HttpClient(server.sockets[0].getsockname()[:2])
        assert (await client.request("POST", "/write", b"1", timeout_s=10)).status == 500
        client.close()
        server.close()

    asyncio.run(main())
    assert "JSON is malformed" in capsys.readouterr().err


def test_bad_bodies_get_a_400_and_failing_handlers_a_500(capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario(address: Address) -> None:
        client = HttpClient(address)
        for body in (b"", b"{", b'{"a":1}', b'{"a":"x","b":2}'):
            reply = await client.request("POST", "/sum", body, timeout_s=10)
            assert (reply.status, reply.body.startswith(b"bad request body: ")) == (400, True)
        assert (await client.request("GET", "/fail", timeout_s=10)).status == 500
        assert (await client.request("GET", "/a", timeout_s=10)).status == 200

    run(scenario)
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_request_whose_handler_finds_something_cancelled_gets_a_500(capsys: pytest.CaptureFixture[str]) -> None:
    async def handler(request: Request) -> Response:
        shared = asyncio.ensure_future(asyncio.Event().wait())
        asyncio.get_running_loop().call_soon(shared.cancel)
        await shared
        return Response()

    async def main() -> None:
        server = await listen(handler, ("127.0.0.1", 0))
        client = HttpClient(server.sockets[0].getsockname()[:2])
        for _ in range(2):
            assert (await client.request("GET", "/", timeout_s=10)).status == 500
        client.close()
        server.close()

    asyncio.run(main())
    assert capsys.readouterr().err.count("CancelledError") == 2


def test_a_response_that_cannot_be_sent_is_a_500_and_the_next_request_gets_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    async def handler(request: Request) -> Response:
        return Response(200, request.path.encode(), (("x-name", "☃"),) if request.path == "/first" else ())

    async def main() -> bytes:
        async with closing(listen(handler, ("127.0.0.1", 0))) as server:
            return await said(server.sockets[0].getsockname(), GET % b"/first" + LAST % b"/second")

    first, second = asyncio.run(main()).split(b"HTTP/1.1 ")[1:]
    assert first.startswith(b"500")
    assert second.endswith(b"/second")
    assert "UnicodeEncodeError" in capsys.readouterr().err


def test_an_error_in_a_handler_goes_to_the_given_log(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        async with closing(listen(handle, ("127.0.0.1", 0), lines.append)) as server:
            client = HttpClient(server.sockets[0].getsockname())
            assert (await client.request("GET", "/fail", timeout_s=10)).status == 500
            client.close()

    lines: list[str] = []
    uvloop.run(main())
    (line,) = lines
    assert line.startswith("Traceback") and line.endswith("ZeroDivisionError")
    assert capsys.readouterr().err == ""


def test_big_bodies_both_ways_and_too_big_ones() -> None:
    async def scenario(address: Address) -> None:
        client, size = HttpClient(address), 8 * 1024 * 1024
        assert (await client.request("POST", "/size", b"x" * size, timeout_s=30)).decode(int) == size
        assert len((await client.request("GET", f"/big?bytes={size}", timeout_s=30)).body) == size
        with pytest.raises(Broken, match="more than"):
            await client.request("GET", f"/big?bytes={MAX_BODY_BYTES + 1}", timeout_s=30)
        assert (await client.request("GET", "/a", timeout_s=10)).status == 200

    run(scenario)


def test_only_the_head_of_a_long_answer_to_head_is_sent() -> None:
    async def scenario(address: Address) -> None:
        text = await said(address, b"HEAD /big?bytes=100000 HTTP/1.1\r\n\r\n", LAST % b"/a")
        head, _, rest = text.partition(b"\r\n\r\n")
        assert b"content-length: 100000" in head
        assert rest.startswith(b"HTTP/1.1 200 OK")

    run(scenario)


def test_no_answer_in_time_may_have_acted() -> None:
    async def scenario(address: Address) -> None:
        client = HttpClient(address)
        with pytest.raises(TimedOut):
            await client.request("GET", "/never", timeout_s=0.05)
        reply = await client.request("GET", "/a", timeout_s=10)
        assert reply.body == b"GET /a {}"  # not what the first one may yet be answered

    run(scenario)


def test_a_refused_connection_is_unreachable() -> None:
    async def main() -> None:
        async with serving() as address:
            pass
        with pytest.raises(Unreachable):
            await HttpClient(address).request("GET", "/", timeout_s=10)

    uvloop.run(main())


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200"]
)
def test_an_incomplete_response_is_broken(answer: bytes) -> None:
    async def main() -> None:
        async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            writer.close()

        async with closing(asyncio.start_server(reply, "127.0.0.1", 0)) as server:
            with pytest.raises(Broken):
                await HttpClient(server.sockets[0].getsockname()).request("GET", "/", timeout_s=10)

    uvloop.run(main())


@pytest.mark.parametrize(
    ("method", "answer", "body"),
    [
        ("GET", b"HTTP/1.1 200 OK\r\n\r\nto the end", b"to the end"),
        ("GET", b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", b"ok"),
        ("HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n", b""),
        ("GET", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 10\r\n\r\n", b""),
    ],
)
def test_responses_with_unusual_ends(method: str, answer: bytes, body: bytes) -> None:
    async def main() -> None:
        async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            writer.close()

        async with closing(asyncio.start_server(reply, "127.0.0.1", 0)) as server:
            client = HttpClient(server.sockets[0].getsockname())
            assert (await client.request(method, "/", timeout_s=10)).body == body
            client.close()

    uvloop.run(main())


def test_a_connection_that_the_server_has_closed_is_not_used_again() -> None:
    async def main() -> None:
        closed = asyncio.Event()

        async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            writer.close()
            await writer.wait_closed()
            closed.set()

        async with closing(asyncio.start_server(reply, "127.0.0.1", 0)) as server:
            client = HttpClient(server.sockets[0].getsockname())
            for _ in range(3):
                assert (await client.request("GET", "/", timeout_s=10)).status == 200
                await closed.wait()
                closed.clear()
                await asyncio.sleep(0.02)  # the end of the connection is on its way here

    uvloop.run(main())


def test_a_response_of_another_node_can_be_passed_on_unchanged() -> None:
    async def scenario(address: Address) -> None:
        behind = HttpClient(address)

        async def front(request: Request) -> Response:
            return await behind.request(request.method, request.path, request.body, timeout_s=10)

        async with closing(listen(front, ("127.0.0.1", 0))) as server:
            client = HttpClient(server.sockets[0].getsockname())
            for _ in range(2):
                reply = await client.request("GET", "/a", timeout_s=10)
                assert (reply.body, dict(reply.headers)["x-by"]) == (b"GET /a {}", "test")

    run(scenario)


def test_concurrent_requests_each_get_their_own_response() -> None:
    async def scenario(address: Address) -> None:
        client = HttpClient(address)
        replies = await asyncio.gather(*(client.request("GET", f"/{number}", timeout_s=30) for number in range(200)))
        assert [reply.body for reply in replies] == [f"GET /{number} {{}}".encode() for number in range(200)]

    run(scenario)
