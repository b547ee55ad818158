"""A server of request batches: responses come in order, and one client's mistake is not another's."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from harness.http import batched_server
from harness.http.batched_server import BatchHandler, RequestBatch
from harness.http.client import HttpClient
from harness.http.deadlines import Deadline
from harness.http.message import Response
from harness.http.pool import account
from harness.http.writing import encode_response
from harness.model.system import Address

HOST = "127.0.0.1"


def post(body: bytes, headers: bytes = b"") -> bytes:
    return b"POST /predict HTTP/1.1\r\nhost: a\r\n" + headers + b"content-length: %d\r\n\r\n" % len(body) + body


def echo(batch: RequestBatch) -> None:
    for message in batch.messages:
        message.answer = encode_response(Response(200, message.body))
    batch.finish()


@contextlib.asynccontextmanager
async def serving(handler: BatchHandler) -> AsyncIterator[Address]:
    server = await batched_server.listen(handler, (HOST, 0))
    try:
        yield server.sockets[0].getsockname()
    finally:
        server.close()


async def exchange(address: Address, data: bytes) -> bytes:
    """Everything that comes back until the server closes."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(data)
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer


LAST = b"GET /last HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"


def bodies(answers: bytes) -> list[bytes]:
    return [part.partition(b"\r\n\r\n")[2] for part in answers.split(b"HTTP/1.1 ")[1:]]


def test_batches_finished_out_of_order_are_answered_in_order() -> None:
    async def scenario() -> bytes:
        batches: list[RequestBatch] = []
        arrived = asyncio.Event()

        def hold(batch: RequestBatch) -> None:
            batches.append(batch)
            arrived.set()

        async with serving(hold) as address:
            reader, writer = await asyncio.open_connection(*address)
            for part in (post(b"1") + post(b"2"), post(b"3"), LAST):
                arrived.clear()
                writer.write(part)
                await arrived.wait()
            for batch in reversed(batches):
                echo(batch)
            answer = await asyncio.wait_for(reader.read(), 10)
            writer.close()
            return answer

    assert bodies(asyncio.run(scenario())) == [b"1", b"2", b"3", b""]


def test_an_error_in_a_handler_is_a_500_for_messages_without_an_answer() -> None:
    def half(batch: RequestBatch) -> None:
        for message in batch.messages:
            if message.body == b"bad":
                raise ArithmeticError("bad")
            message.answer = encode_response(Response(200, message.body))
        batch.finish()

    async def scenario() -> tuple[bytes, Response]:
        async with serving(half) as address:
            answers = await exchange(address, post(b"good") + post(b"bad") + LAST)
            client = HttpClient(address)
            after = await client.request("POST", "/predict", b"after", timeout_s=10)
            client.close()
            return answers, after

    answers, after = asyncio.run(scenario())
    assert [part[:3] for part in answers.split(b"HTTP/1.1 ")[1:]] == [b"200", b"500", b"500"]
    assert after.body == b"after"


def test_an_error_in_a_handler_goes_to_the_given_log(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(batch: RequestBatch) -> None:
        raise ArithmeticError("bad")

    async def scenario() -> None:
        server = await batched_server.listen(fail, (HOST, 0), lines.append)
        assert (await exchange(server.sockets[0].getsockname(), LAST)).startswith(b"HTTP/1.1 500 ")
        server.close()

    lines: list[str] = []
    asyncio.run(scenario())
    (line,) = lines
    assert line.startswith("Traceback")
    assert line.endswith("ArithmeticError: bad")
    assert capsys.readouterr().err == ""


def test_garbage_is_refused_after_earlier_requests_are_answered() -> None:
    async def scenario() -> bytes:
        async with serving(echo) as address:
            return await exchange(address, post(b"fine") + b"\x00garbage")

    answers = asyncio.run(scenario())
    first, refused = answers.split(b"HTTP/1.1 ")[1:]
    assert first.startswith(b"200") and first.endswith(b"fine")
    assert refused.startswith(b"400 Bad Request\r\nconnection: close\r\n")


def test_requests_after_connection_close_are_ignored() -> None:
    async def scenario() -> bytes:
        async with serving(echo) as address:
            return await exchange(address, LAST + post(b"too late"))

    answers = asyncio.run(scenario())
    assert answers.count(b"HTTP/1.1 200") == 1
    assert b"connection: close" in answers


def test_an_answer_to_head_has_no_body() -> None:
    def answer(batch: RequestBatch) -> None:
        batch.messages[0].answer = encode_response(Response(200, b"body"))
        batch.finish()

    async def scenario() -> bytes:
        async with serving(answer) as address:
            return await exchange(address, b"HEAD / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")

    assert asyncio.run(scenario()).endswith(b"content-length: 4\r\n\r\n")


def test_expect_gets_100_continue() -> None:
    async def scenario() -> tuple[bytes, bytes]:
        async with serving(echo) as address:
            reader, writer = await asyncio.open_connection(*address)
            whole = post(b"body", b"expect: 100-continue\r\nconnection: close\r\n")
            writer.write(whole[:-4])
            told = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            writer.write(whole[-4:])
            answer = await asyncio.wait_for(reader.read(), 10)
            writer.close()
            return told, answer

    told, answer = asyncio.run(scenario())
    assert told == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert bodies(answer) == [b"body"]


def test_expect_gets_100_continue_once_earlier_requests_are_answered() -> None:
    async def scenario() -> tuple[bytes, bytes]:
        held: list[RequestBatch] = []
        async with serving(held.append) as address:
            reader, writer = await asyncio.open_connection(*address)
            whole = post(b"body", b"expect: 100-continue\r\nconnection: close\r\n")
            writer.write(post(b"first") + whole[:-4])
            while not held:
                await asyncio.sleep(0)
            echo(held.pop())
            told = await asyncio.wait_for(reader.readuntil(b"firstHTTP/1.1 100 Continue\r\n\r\n"), 10)
            writer.write(whole[-4:])
            while not held:
                await asyncio.sleep(0)
            echo(held.pop())
            answer = await asyncio.wait_for(reader.read(), 10)
            writer.close()
            return told, answer

    told, answer = asyncio.run(scenario())
    assert told.startswith(b"HTTP/1.1 200 OK\r\n")
    assert bodies(answer) == [b"body"]


def test_expect_gets_100_continue_once_requests_with_other_timeouts_are_answered() -> None:
    """Otherwise the client takes it for an interim response to the second request, and waits for one to the third."""

    async def scenario() -> bytes:
        async with serving(echo) as address:
            reader, writer = await asyncio.open_connection(*address)
            whole = post(b"third", b"expect: 100-continue\r\n")
            writer.write(post(b"first", b"timeout-ms: 100\r\n") + post(b"second", b"timeout-ms: 200\r\n") + whole[:-5])
            told = await asyncio.wait_for(reader.readuntil(b"100 Continue\r\n\r\n"), 10)
            writer.close()
            return told

    assert bodies(asyncio.run(scenario())) == [b"first", b"second", b""]


def test_a_client_that_left_does_not_disturb_others() -> None:
    async def scenario() -> tuple[bool, Response]:
        batches: list[RequestBatch] = []
        arrived = asyncio.Event()

        def hold_first(batch: RequestBatch) -> None:
            if batches:
                echo(batch)
            else:
                batches.append(batch)
                arrived.set()

        async with serving(hold_first) as address:
            _, writer = await asyncio.open_connection(*address)
            writer.write(post(b"gone"))
            await arrived.wait()
            writer.transport.abort()
            while not batches[0].given_up:
                await asyncio.sleep(0)
            echo(batches[0])
            client = HttpClient(address)
            response = await client.request("POST", "/predict", b"here", timeout_s=10)
            client.close()
            return batches[0].given_up, response

    given_up, response = asyncio.run(scenario())
    assert given_up
    assert response.body == b"here"


async def flooded(address: Address) -> None:
    """One client sends 10 MB of requests and reads nothing. Returns when another client has received many responses."""
    _, writer = await asyncio.open_connection(*address)
    writer.write(post(b"x" * 2000) * FLOOD)
    client = HttpClient(address)
    for _ in range(200):
        await client.request("GET", "/", timeout_s=10)
    client.close()
    writer.transport.abort()


FLOOD = 5000


def test_a_client_that_does_not_read_is_not_read_from() -> None:
    answered = 0

    def big(batch: RequestBatch) -> None:
        nonlocal answered
        for message in batch.messages:
            answered += message.head.method == "POST"
            message.answer = encode_response(Response(200, b"y" * 65536 if message.body else b""))
        batch.finish()

    async def scenario() -> None:
        async with serving(big) as address:
            await flooded(address)

    asyncio.run(scenario())
    assert 0 < answered < FLOOD / 2


def test_too_many_waiting_requests_stop_the_reading() -> None:
    waiting: list[RequestBatch] = []

    def hold_posts(batch: RequestBatch) -> None:
        if batch.messages[0].head.method == "GET":
            echo(batch)
        else:
            waiting.append(batch)

    async def scenario() -> None:
        async with serving(hold_posts) as address:
            await flooded(address)

    asyncio.run(scenario())
    assert 0 < sum(len(batch.messages) for batch in waiting) < FLOOD / 2


# ----------------------------------------------------------------------------------------------------------- deadlines


def test_requests_of_one_read_with_different_timeouts_are_different_batches() -> None:
    batches: list[tuple[int, Deadline | None]] = []
    read_s: list[float] = []

    def note(batch: RequestBatch) -> None:
        read_s.append(asyncio.get_running_loop().time())
        batches.append((len(batch.messages), batch.deadline))
        echo(batch)

    async def scenario() -> bytes:
        async with serving(note) as address:
            timed = b"timeout-ms: 300\r\n"
            data = post(b"1", timed) + post(b"2", timed) + post(b"3") + post(b"4", b"timeout-ms: 5\r\n") + LAST
            return await exchange(address, data)

    assert bodies(asyncio.run(scenario())) == [b"1", b"2", b"3", b"4", b""]
    assert [(size, deadline and deadline.timeout_ms) for size, deadline in batches] == [(2, 300), (1, None), (1, 5), (1, None)]
    first, fourth = batches[0][1], batches[2][1]
    assert first is not None
    assert fourth is not None
    assert first.at_s - fourth.at_s == pytest.approx(0.295)
    assert first.at_s <= read_s[0] + 0.3


def test_an_invalid_timeout_is_refused_with_the_reason() -> None:
    async def scenario() -> bytes:
        async with serving(echo) as address:
            return await exchange(address, post(b"x", b"timeout-ms: soon\r\n"))

    answer = asyncio.run(scenario())
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n")
    assert b"bad request: timeout-ms is 'soon'; it must be a whole number of milliseconds" in answer


def test_requests_that_their_handler_leaves_without_an_answer_are_counted_and_those_of_lost_clients_are_not() -> None:
    batches: list[RequestBatch] = []

    def handle(batch: RequestBatch) -> None:
        match batch.messages[0].body:
            case b"forget":
                batch.finish()
            case b"wait":
                batches.append(batch)
            case b"raise":
                raise RuntimeError("raised")
            case _:
                echo(batch)

    async def scenario() -> list[tuple[int, int]]:
        found = []
        async with serving(handle) as address:
            client = HttpClient(address)
            for body in (b"answer", b"raise", b"forget"):
                response = await client.request("POST", "/predict", body, timeout_s=10)
                found.append((response.status, account().unanswered))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    await client.request("POST", "/predict", b"wait", timeout_s=10)
            while not batches[0].given_up:
                await asyncio.sleep(0.001)
            batches[0].finish()
            found.append((0, account().unanswered))
            client.close()
        return found

    assert asyncio.run(scenario()) == [(200, 0), (500, 0), (500, 1), (0, 1)]
