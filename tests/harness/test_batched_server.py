"""Pipelined requests: the same however the bytes are split, answered in order, and nobody's mistake is another's."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.http import batched_server
from harness.http.batched_server import BatchHandler, Cutter, Message, RequestBatch
from harness.http.client import HttpClient
from harness.http.deadlines import Deadline
from harness.http.message import Response
from harness.http.writing import encode_response
from harness.model.system import Address

HOST = "127.0.0.1"


def post(body: bytes, headers: bytes = b"") -> bytes:
    return b"POST /predict HTTP/1.1\r\nhost: a\r\n" + headers + b"content-length: %d\r\n\r\n" % len(body) + body


def chunked(body: bytes) -> bytes:
    chunk = b"%x\r\n" % len(body) + body + b"\r\n" if body else b""
    return b"POST /chunks HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n" + chunk + b"0\r\n\r\n"


def seen(messages: list[Message]) -> list[tuple[str, str, bytes]]:
    return [(message.head.method, message.head.path, message.body) for message in messages]


BODIES = st.one_of(st.binary(max_size=40), st.sampled_from([b"\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n", b"x" * 5000]))
REQUESTS = st.one_of(
    BODIES.map(lambda body: (post(body), ("POST", "/predict", body))),
    BODIES.map(lambda body: (post(body, b"X-Odd: \t1\r\n"), ("POST", "/predict", body))),
    BODIES.map(lambda body: (chunked(body), ("POST", "/chunks", body))),
    st.just((b"GET /a%20b?c=d HTTP/1.1\r\nhost: a\r\n\r\n", ("GET", "/a b", b""))),
    st.just((b"DELETE /thing HTTP/1.1\r\nhost: a\r\n\r\n", ("DELETE", "/thing", b""))),
    st.just((b"\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n", ("GET", "/", b""))),
    st.just((b"GET /long HTTP/1.1\r\nx: " + b"y" * 6000 + b"\r\n\r\n", ("GET", "/long", b""))),
)


@given(st.lists(REQUESTS, max_size=8), st.lists(st.integers(0, 20_000), max_size=12))
def test_requests_are_the_same_wherever_the_bytes_are_split(
    requests: list[tuple[bytes, tuple[str, str, bytes]]], cuts: list[int]
) -> None:
    data = b"".join(request for request, _ in requests)
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    cutter = Cutter()
    found = [message for start, end in itertools.pairwise(edges) if start < end for message in cutter.feed(data[start:end])]
    assert cutter.failure is None
    assert seen(found) == [expected for _, expected in requests]


def test_requests_come_out_of_single_bytes() -> None:
    cutter = Cutter()
    data = post(b"one") + post(b"") + post(b"three")
    found = [message for byte in data for message in cutter.feed(bytes([byte]))]
    assert [message.body for message in found] == [b"one", b"", b"three"]


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01 a TLS hello",
        b"POST /predict HTTP/1.1\r\ncontent-length: minus one\r\n\r\n",
        b"POST /predict HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"POST /predict HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % (batched_server.MAX_BODY_BYTES + 1),
        b"GET / HTTP/1.1\r\nx: " + b"y" * (batched_server.MAX_HEAD_BYTES + 1) + b"\r\n\r\n",
        b"GET / NONSENSE\r\n\r\n",
    ],
)
def test_garbage_ends_what_can_be_cut_out(garbage: bytes) -> None:
    cutter = Cutter()
    assert [message.body for message in cutter.feed(post(b"before") + garbage)] == [b"before"]
    assert cutter.failure


def test_a_length_hidden_from_the_parser_is_not_believed() -> None:
    """A head that ends earlier for the parser than for the search: both must see the same requests."""
    cutter = Cutter()
    messages = cutter.feed(b"POST /a HTTP/1.1\ncontent-length: 0\n\nGET /b HTTP/1.1\r\nhost: a\r\n\r\n")
    assert cutter.failure or [message.head.path for message in messages] == ["/a", "/b"]


@pytest.mark.parametrize("value", [b"1", b"300", b"00300", b"99999999"])
def test_a_timeout_is_read_from_the_head(value: bytes) -> None:
    """By the quick way and by the parser."""
    cutter = Cutter()
    messages = cutter.feed(post(b"a", b"Timeout-Ms: " + value + b"\r\n") + post(b"b"))
    messages += cutter.feed(b"POST /c HTTP/1.1\r\ntimeout-ms: " + value + b"\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")
    messages += cutter.feed(post(b"d"))
    assert [message.head.timeout_ms for message in messages] == [int(value), None, int(value), None]


@pytest.mark.parametrize("value", [b"", b"0", b"-1", b"+1", b"1.5", b"300ms", b"1 2", b"123456789", b"\xb2"])
def test_a_timeout_that_is_none_is_refused(value: bytes) -> None:
    cutter = Cutter()
    assert [message.body for message in cutter.feed(post(b"before") + post(b"a", b"timeout-ms: " + value + b"\r\n"))] == [
        b"before"
    ]
    assert cutter.failure == (f"timeout-ms is {value.decode('latin-1')!r}; it is a whole number of milliseconds, 1 to 99999999")


# -------------------------------------------------------------------------------------------------------------- server


def echo(run: RequestBatch) -> None:
    for message in run.messages:
        message.answer = encode_response(Response(200, message.body))
    run.finish()


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


def test_runs_that_are_finished_out_of_order_are_answered_in_order() -> None:
    async def scenario() -> bytes:
        runs: list[RequestBatch] = []
        arrived = asyncio.Event()

        def hold(run: RequestBatch) -> None:
            runs.append(run)
            arrived.set()

        async with serving(hold) as address:
            reader, writer = await asyncio.open_connection(*address)
            for part in (post(b"1") + post(b"2"), post(b"3"), LAST):
                arrived.clear()
                writer.write(part)
                await arrived.wait()
            for run in reversed(runs):
                echo(run)
            answer = await asyncio.wait_for(reader.read(), 10)
            writer.close()
            return answer

    assert bodies(asyncio.run(scenario())) == [b"1", b"2", b"3", b""]


def test_an_error_amid_a_run_spoils_only_what_has_no_answer() -> None:
    def half(run: RequestBatch) -> None:
        for message in run.messages:
            if message.body == b"bad":
                raise ArithmeticError("bad")
            message.answer = encode_response(Response(200, message.body))
        run.finish()

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


def test_garbage_is_refused_after_what_came_before_it() -> None:
    async def scenario() -> bytes:
        async with serving(echo) as address:
            return await exchange(address, post(b"fine") + b"\x00garbage")

    answers = asyncio.run(scenario())
    first, refused = answers.split(b"HTTP/1.1 ")[1:]
    assert first.startswith(b"200") and first.endswith(b"fine")
    assert refused.startswith(b"400 Bad Request\r\nconnection: close\r\n")


def test_nothing_is_answered_after_a_last_request() -> None:
    async def scenario() -> bytes:
        async with serving(echo) as address:
            return await exchange(address, LAST + post(b"too late"))

    answers = asyncio.run(scenario())
    assert answers.count(b"HTTP/1.1 200") == 1
    assert b"connection: close" in answers


def test_an_answer_to_head_has_no_body() -> None:
    def answer(run: RequestBatch) -> None:
        run.messages[0].answer = encode_response(Response(200, b"body"))
        run.finish()

    async def scenario() -> bytes:
        async with serving(answer) as address:
            return await exchange(address, b"HEAD / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")

    assert asyncio.run(scenario()).endswith(b"content-length: 4\r\n\r\n")


def test_who_expects_to_be_told_to_continue_is_told() -> None:
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


def test_a_client_that_went_away_disturbs_nobody() -> None:
    async def scenario() -> tuple[bool, Response]:
        runs: list[RequestBatch] = []
        arrived = asyncio.Event()

        def hold_first(run: RequestBatch) -> None:
            if runs:
                echo(run)
            else:
                runs.append(run)
                arrived.set()

        async with serving(hold_first) as address:
            _, writer = await asyncio.open_connection(*address)
            writer.write(post(b"gone"))
            await arrived.wait()
            writer.transport.abort()
            while not runs[0].given_up:
                await asyncio.sleep(0)
            echo(runs[0])
            client = HttpClient(address)
            response = await client.request("POST", "/predict", b"here", timeout_s=10)
            client.close()
            return runs[0].given_up, response

    given_up, response = asyncio.run(scenario())
    assert given_up
    assert response.body == b"here"


async def flooded(address: Address) -> None:
    """One client sends 10 MB of requests and reads nothing; return when another has had many answers meanwhile."""
    _, writer = await asyncio.open_connection(*address)
    writer.write(post(b"x" * 2000) * FLOOD)
    client = HttpClient(address)
    for _ in range(200):
        await client.request("GET", "/", timeout_s=10)
    client.close()
    writer.transport.abort()


FLOOD = 5000


def test_who_does_not_read_the_answers_is_not_read_from() -> None:
    answered = 0

    def big(run: RequestBatch) -> None:
        nonlocal answered
        for message in run.messages:
            answered += message.head.method == "POST"
            message.answer = encode_response(Response(200, b"y" * 65536 if message.body else b""))
        run.finish()

    async def scenario() -> None:
        async with serving(big) as address:
            await flooded(address)

    asyncio.run(scenario())
    assert 0 < answered < FLOOD / 2


def test_too_many_waiting_requests_stop_the_reading() -> None:
    waiting: list[RequestBatch] = []

    def hold_posts(run: RequestBatch) -> None:
        if run.messages[0].head.method == "GET":
            echo(run)
        else:
            waiting.append(run)

    async def scenario() -> None:
        async with serving(hold_posts) as address:
            await flooded(address)

    asyncio.run(scenario())
    assert 0 < sum(len(run.messages) for run in waiting) < FLOOD / 2


# ----------------------------------------------------------------------------------------------------------- deadlines


def test_a_read_whose_requests_say_different_timeouts_is_several_runs() -> None:
    runs: list[tuple[int, Deadline | None]] = []
    read_s: list[float] = []

    def note(run: RequestBatch) -> None:
        read_s.append(asyncio.get_running_loop().time())
        runs.append((len(run.messages), run.deadline))
        echo(run)

    async def scenario() -> bytes:
        async with serving(note) as address:
            timed = b"timeout-ms: 300\r\n"
            data = post(b"1", timed) + post(b"2", timed) + post(b"3") + post(b"4", b"timeout-ms: 5\r\n") + LAST
            return await exchange(address, data)

    assert bodies(asyncio.run(scenario())) == [b"1", b"2", b"3", b"4", b""]
    assert [(size, deadline and deadline.timeout_ms) for size, deadline in runs] == [(2, 300), (1, None), (1, 5), (1, None)]
    first, fourth = runs[0][1], runs[2][1]
    assert first is not None
    assert fourth is not None
    assert first.at_s - fourth.at_s == pytest.approx(0.295)
    assert first.at_s <= read_s[0] + 0.3


def test_a_timeout_that_is_none_is_answered_with_the_reason() -> None:
    async def scenario() -> bytes:
        async with serving(echo) as address:
            return await exchange(address, post(b"x", b"timeout-ms: soon\r\n"))

    answer = asyncio.run(scenario())
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n")
    assert b"bad request: timeout-ms is 'soon'; it is a whole number of milliseconds" in answer
