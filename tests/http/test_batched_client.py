"""Request batches from the client's side: whole responses, and those that came before a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from harness.cluster.ports import reserved
from harness.http import batched_server
from harness.http.batched_client import BatchedHttpClient
from harness.http.batched_server import RequestBatch
from harness.http.message import Response
from harness.http.plain import framed
from harness.http.responses import ReceivedResponse
from harness.http.writing import encode_response

HOST = "127.0.0.1"


def requests(bodies: Sequence[bytes]) -> tuple[bytes, int]:
    return framed(b"POST / HTTP/1.1\r\ncontent-length: ", list(bodies)), len(bodies)


def echo(batch: RequestBatch) -> None:
    for message in batch.messages:
        message.answer = encode_response(Response(500 if message.body == b"bad" else 200, message.body))
    batch.finish()


async def raw(pieces: Sequence[bytes], *, count: int, timeout_s: float = 10) -> tuple[Sequence[ReceivedResponse], str | None]:
    """The client's results if the server sends these pieces, one in each turn, and closes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.001)
        if pieces:
            writer.close()
        else:
            await reader.read()

    server = await asyncio.start_server(answer, HOST, 0)
    client = BatchedHttpClient(server.sockets[0].getsockname())
    try:
        return await client.exchange(*requests([b"x"] * count), timeout_s=timeout_s)
    finally:
        client.close()
        server.close()


def test_responses_keep_the_order_of_requests_and_the_connection_is_reused() -> None:
    async def scenario() -> list[tuple[int, bytes]]:
        server = await batched_server.listen(echo, (HOST, 0))
        client = BatchedHttpClient(server.sockets[0].getsockname())
        seen = []
        for bodies in ([b"1", b"bad", b""], [b"y" * 300_000, b"4"]):
            answers, why = await client.exchange(*requests(bodies), timeout_s=10)
            assert why is None
            seen += [(answer.status, answer.body) for answer in answers]
        client.close()
        server.close()
        return seen

    assert asyncio.run(scenario()) == [(200, b"1"), (500, b"bad"), (200, b""), (200, b"y" * 300_000), (200, b"4")]


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def test_a_response_may_arrive_byte_by_byte() -> None:
    answers, why = asyncio.run(raw([OK[at : at + 1] for at in range(len(OK))], count=1))
    assert ([answer.content for answer in answers], why) == ([OK], None)


@pytest.mark.parametrize(
    ("pieces", "whole", "reason"),
    [
        ([OK, OK[:-1]], 1, "the connection ended"),
        ([OK, b"garbage\r\n\r\n"], 1, "not one that a batch allows"),
        ([b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"], 0, "not one that a batch allows"),
        ([OK.replace(b"content", b"connection: close\r\ncontent")], 0, "not one that a batch allows"),
    ],
)
def test_responses_before_a_failure_are_returned(pieces: list[bytes], whole: int, reason: str) -> None:
    answers, why = asyncio.run(raw(pieces, count=2))
    assert len(answers) == whole
    assert why is not None
    assert reason in why


def test_a_silent_server_is_given_up_after_the_timeout() -> None:
    answers, why = asyncio.run(raw([], count=2, timeout_s=0.05))
    assert (answers, why) == ([], "no answer within 0.05 s")


def test_a_refused_connection_is_the_reason() -> None:
    async def scenario(port: int) -> tuple[Sequence[ReceivedResponse], str | None]:
        return await BatchedHttpClient((HOST, port)).exchange(*requests([b"x"]), timeout_s=10)

    with reserved(1) as ports:
        answers, why = asyncio.run(scenario(ports[0]))
    assert answers == []
    assert why is not None
    assert "no connection to" in why
