"""Batches: one pass a turn over all connections, and a failed batch affects no other."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

from harness.http import batched_server
from harness.http.batched_server import RequestBatch
from harness.http.client import HttpClient
from harness.http.message import Response
from harness.http.writing import encode_response
from harness.model.system import Address
from systems.serving.batching import Batcher
from systems.serving.messages import Prediction

HOST = "127.0.0.1"
Model = Callable[[Sequence[Sequence[float]]], list[Prediction]]


def labels(images: Sequence[Sequence[float]]) -> list[Prediction]:
    return [Prediction(label=round(image[0]), score=1.0) for image in images]


def encode(prediction: Prediction) -> bytes:
    return encode_response(Response(200, b"%d" % prediction.label))


@contextlib.asynccontextmanager
async def serving(model: Model, max_batch: int = 100) -> AsyncIterator[Address]:
    """A server whose requests hold one number, the image."""
    batcher = Batcher(model, max_batch)

    def handle(batch: RequestBatch) -> None:
        for message in batch.messages:
            batcher.add(message, [float(message.body)], encode)
        batcher.finish_after_pass(batch)

    server = await batched_server.listen(handle, (HOST, 0))
    try:
        yield server.sockets[0].getsockname()
    finally:
        server.close()


def pipeline(images: Sequence[int]) -> bytes:
    bodies = [b"%d" % image for image in images]
    return b"".join(b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body) for body in bodies)


async def ask(address: Address, images: Sequence[int]) -> list[tuple[int, bytes]]:
    """Status and body of each answer; all are asked at once on one connection."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(pipeline(images))
    answers = []
    for _ in images:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        length = int(head.partition(b"content-length: ")[2])
        answers.append((int(head.split()[1]), await reader.readexactly(length)))
    writer.close()
    return answers


def test_requests_of_one_turn_share_one_pass() -> None:
    passes: list[int] = []

    def model(images: Sequence[Sequence[float]]) -> list[Prediction]:
        passes.append(len(images))
        return labels(images)

    async def scenario() -> list[tuple[int, bytes]]:
        async with serving(model) as address:
            return await ask(address, range(50)) + await ask(address, [7])

    assert asyncio.run(scenario()) == [(200, b"%d" % label) for label in [*range(50), 7]]
    assert passes == [50, 1]


def test_connections_share_a_pass() -> None:
    """Two batches in one turn, each of a connection of its own, are one batch."""
    passes: list[int] = []

    def model(images: Sequence[Sequence[float]]) -> list[Prediction]:
        passes.append(len(images))
        return labels(images)

    batcher, held = Batcher(model), list[RequestBatch]()

    def hold(batch: RequestBatch) -> None:
        held.append(batch)
        if len(held) == 2:
            for number, each in enumerate(held):
                batcher.add(each.messages[0], [float(number)], encode)
                batcher.finish_after_pass(each)

    async def scenario() -> list[bytes]:
        server = await batched_server.listen(hold, (HOST, 0))
        clients = [HttpClient(server.sockets[0].getsockname()) for _ in range(2)]
        answers = await asyncio.gather(*(client.request("POST", "/", timeout_s=10) for client in clients))
        for client in clients:
            client.close()
        server.close()
        return sorted(answer.body for answer in answers)

    assert asyncio.run(scenario()) == [b"0", b"1"]
    assert passes == [2]


def test_a_pass_that_fails_fails_its_requests_and_no_others() -> None:
    def model(images: Sequence[Sequence[float]]) -> list[Prediction]:
        if any(image[0] < 0 for image in images):
            raise ArithmeticError("below zero")
        return labels(images)

    async def scenario() -> tuple[list[tuple[int, bytes]], list[tuple[int, bytes]]]:
        async with serving(model) as address:
            return await ask(address, [1, -1]), await ask(address, [2])

    failed, after = asyncio.run(scenario())
    assert [status for status, _ in failed] == [500, 500]
    assert after == [(200, b"2")]


def test_what_a_full_batch_cannot_take_is_refused_in_its_place() -> None:
    async def scenario() -> tuple[list[tuple[int, bytes]], Response]:
        async with serving(labels, max_batch=3) as address:
            return await ask(address, range(5)), Response(*(await ask(address, [9]))[0])

    answers, after = asyncio.run(scenario())
    assert [status for status, _ in answers] == [200, 200, 200, 503, 503]
    assert [body for _, body in answers[:3]] == [b"0", b"1", b"2"]
    assert (after.status, after.body) == (200, b"9")


def test_a_client_that_is_gone_takes_no_answer_of_another_with_it() -> None:
    batcher, held = Batcher(labels), list[RequestBatch]()

    async def scenario() -> bytes:
        server = await batched_server.listen(held.append, (HOST, 0))
        address = server.sockets[0].getsockname()
        _, gone = await asyncio.open_connection(*address)
        gone.write(pipeline([1]))
        reader, stays = await asyncio.open_connection(*address)
        stays.write(pipeline([2]))
        async with asyncio.timeout(10):
            while len(held) < 2:
                await asyncio.sleep(0)
            gone.transport.abort()
            while not any(batch.given_up for batch in held):
                await asyncio.sleep(0)
            for batch in held:
                batcher.add(batch.messages[0], [float(batch.messages[0].body)], encode)
                batcher.finish_after_pass(batch)
            head = await reader.readuntil(b"\r\n\r\n")
            answer = await reader.readexactly(1)
        stays.close()
        server.close()
        return head.split()[1] + b" " + answer

    assert asyncio.run(scenario()) == b"200 2"
