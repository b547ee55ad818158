"""Gathered requests travel in groups, and answers return to their clients: on real connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import pytest

from harness.cluster.ports import HOST
from harness.http.batched_client import BatchedHttpClient
from harness.http.batched_server import RequestBatch, listen
from harness.http.deadlines import Deadline
from harness.http.message import Response
from harness.http.plain import framed
from harness.http.requests import Message
from harness.http.writing import encode_response
from systems.serving.coalescing import GROUP_MESSAGES, RATE_S, Gatherer


class Groups:
    """Answers each message with its body, when `go` is set; "broken" breaks its group."""

    def __init__(self) -> None:
        self.seen: list[list[bytes]] = []
        self.deadlines: list[Deadline | None] = []
        self.cancelled = 0
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()
        self.go = asyncio.Event()

    async def forward(self, messages: Sequence[Message], deadline: Deadline | None) -> None:
        self.deadlines.append(deadline)
        self.seen.append([message.body for message in messages])
        self.begun.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            self.ended.set()
            raise
        for message in messages:
            if message.body == b"broken":
                raise ValueError("a broken message")
            message.answer = encode_response(Response(200, message.body))


@contextlib.asynccontextmanager
async def gathering(groups: Groups) -> AsyncIterator[tuple[BatchedHttpClient, list[RequestBatch]]]:
    """A server that holds batches back, in the list, for the test to add in one turn."""
    held: list[RequestBatch] = []
    server = await listen(held.append, (HOST, 0))
    client = BatchedHttpClient(server.sockets[0].getsockname())
    try:
        yield client, held
    finally:
        groups.go.set()
        client.close()
        server.close()


def requests(*bodies: bytes) -> tuple[bytes, int]:
    return framed(b"POST /p HTTP/1.1\r\nhost: x\r\ncontent-length: ", list(bodies)), len(bodies)


async def held_back(held: list[RequestBatch], count: int) -> list[RequestBatch]:
    while len(held) < count:
        await asyncio.sleep(0.001)
    return held


def added(gatherer: Gatherer, batches: Sequence[RequestBatch]) -> None:
    for batch in batches:
        gatherer.add(batch, batch.messages)


def test_runs_of_one_turn_are_one_group_and_each_gets_its_own_answers() -> None:
    async def scenario() -> None:
        groups = Groups()
        async with gathering(groups) as (client, held):
            asked = [
                asyncio.create_task(client.exchange(*requests(*texts), timeout_s=10))
                for texts in ([b"a", b"b"], [b"c"], [b"d", b"e", b"f"])
            ]
            added(Gatherer(groups.forward), await held_back(held, 3))
            groups.go.set()
            assert [[one.body for one in (await task)[0]] for task in asked] == [[b"a", b"b"], [b"c"], [b"d", b"e", b"f"]]
            assert [len(group) for group in groups.seen] == [6]

    asyncio.run(scenario())


def test_a_full_group_goes_and_the_next_begins() -> None:
    async def scenario() -> None:
        groups = Groups()
        async with gathering(groups) as (client, held):
            half = [b"%d" % number for number in range(GROUP_MESSAGES // 2)]
            asked = [asyncio.create_task(client.exchange(*requests(*half), timeout_s=10)) for _ in range(3)]
            added(Gatherer(groups.forward), await held_back(held, 3))
            groups.go.set()
            for task in asked:
                assert [one.body for one in (await task)[0]] == half
            assert [len(group) for group in groups.seen] == [GROUP_MESSAGES, GROUP_MESSAGES // 2]

    asyncio.run(scenario())


def test_what_breaks_a_group_is_answered_500_and_the_next_group_is_well(capfd: pytest.CaptureFixture[str]) -> None:
    async def scenario() -> None:
        groups = Groups()
        groups.go.set()
        async with gathering(groups) as (client, held):
            gatherer = Gatherer(groups.forward)
            broken = asyncio.create_task(client.exchange(*requests(b"broken", b"a"), timeout_s=10))
            added(gatherer, await held_back(held, 1))
            assert [answer.status for answer in (await broken)[0]] == [500, 500]
            held.clear()
            well = asyncio.create_task(client.exchange(*requests(b"b"), timeout_s=10))
            added(gatherer, await held_back(held, 1))
            assert [answer.body for answer in (await well)[0]] == [b"b"]

    asyncio.run(scenario())
    assert "a broken message" in capfd.readouterr().err


def test_a_group_is_given_up_only_when_all_who_asked_are_gone() -> None:
    async def scenario() -> None:
        groups = Groups()
        async with gathering(groups) as (client, held):
            asked = [asyncio.create_task(client.exchange(*requests(text), timeout_s=10)) for text in (b"a", b"b")]
            batches = list(await held_back(held, 2))
            added(Gatherer(groups.forward), batches)
            await groups.begun.wait()
            asked[0].cancel()
            while not any(batch.given_up for batch in batches):
                await asyncio.sleep(0.001)
            assert not groups.cancelled
            asked[1].cancel()
            await asyncio.wait_for(groups.ended.wait(), 10)

    asyncio.run(scenario())


def test_a_group_that_all_have_left_before_it_begins_goes_nowhere() -> None:
    async def scenario() -> None:
        groups = Groups()
        async with gathering(groups) as (client, held):
            asked = asyncio.create_task(client.exchange(*requests(b"a"), timeout_s=10))
            (batch,) = await held_back(held, 1)
            asked.cancel()
            while not batch.given_up:
                await asyncio.sleep(0.001)
            gatherer = Gatherer(groups.forward)
            added(gatherer, [batch])
            await asyncio.sleep(0.01)
            assert not groups.seen
            assert gatherer.under_way == 0
            assert batch.finished

    asyncio.run(scenario())


def test_groups_for_nobody_are_those_whose_clients_have_all_gone() -> None:
    async def scenario() -> None:
        groups = Groups()
        async with gathering(groups) as (client, held):
            asked = [asyncio.create_task(client.exchange(*requests(text), timeout_s=10)) for text in (b"a", b"b")]
            batches = list(await held_back(held, 2))
            gatherer = Gatherer(groups.forward)
            added(gatherer, batches)
            await groups.begun.wait()
            for batch in batches:
                batch.on_given_up = None
            asked[0].cancel()
            while not any(batch.given_up for batch in batches):
                await asyncio.sleep(0.001)
            assert not gatherer.for_nobody
            asked[1].cancel()
            while not all(batch.given_up for batch in batches):
                await asyncio.sleep(0.001)
            assert len(gatherer.for_nobody) == 1

    asyncio.run(scenario())


def test_a_group_has_one_deadline() -> None:
    async def scenario() -> None:
        groups = Groups()
        groups.go.set()
        async with gathering(groups) as (client, held):
            asked = [asyncio.create_task(client.exchange(*requests(text), timeout_s=10)) for text in (b"a", b"b", b"c")]
            batches = await held_back(held, 3)
            soon = Deadline(at_s=1.0, timeout_ms=300)
            for batch in batches[:2]:
                batch.deadline = soon
            added(Gatherer(groups.forward), batches)
            for task in asked:
                await task
            assert list(map(len, groups.seen)) == [2, 1]
            assert groups.deadlines == [soon, None]

    asyncio.run(scenario())


def test_at_a_high_rate_requests_of_several_turns_leave_as_one_group() -> None:
    async def scenario() -> None:
        groups = Groups()
        groups.go.set()
        async with gathering(groups) as (client, held):
            gatherer = Gatherer(groups.forward, gather_s=1000.0)  # so that any rate is a high one
            await asyncio.sleep(RATE_S)  # the first group tells the rate
            first = asyncio.create_task(client.exchange(*requests(b"a"), timeout_s=10))
            added(gatherer, await held_back(held, 1))
            assert [one.status for one in (await first)[0]] == [200]
            asked = [asyncio.create_task(client.exchange(*requests(text), timeout_s=10)) for text in (b"b", b"c", b"d")]
            for number in range(3):
                added(gatherer, (await held_back(held, number + 2))[number + 1 :][:1])
                await asyncio.sleep(0)  # a turn of the loop, after which the group would leave
            assert groups.seen == [[b"a"]] and gatherer.under_way == 1
            full = asyncio.create_task(client.exchange(*requests(*[b"e"] * (GROUP_MESSAGES - 3)), timeout_s=10))
            added(gatherer, (await held_back(held, 5))[4:])
            for task in (*asked, full):
                assert {one.status for one in (await task)[0]} == {200}
            assert [len(group) for group in groups.seen] == [1, GROUP_MESSAGES]
            gatherer.close()

    asyncio.run(scenario())


def test_what_waits_for_more_leaves_in_time() -> None:
    async def scenario() -> None:
        groups = Groups()
        groups.go.set()
        async with gathering(groups) as (client, held):
            gatherer = Gatherer(groups.forward, gather_s=0.05)
            await asyncio.sleep(RATE_S)
            many = asyncio.create_task(client.exchange(*requests(*[b"a"] * (GROUP_MESSAGES - 1)), timeout_s=10))
            added(gatherer, await held_back(held, 1))
            await many
            few = asyncio.create_task(client.exchange(*requests(b"b"), timeout_s=10))
            added(gatherer, (await held_back(held, 2))[1:])
            assert [one.status for one in (await few)[0]] == [200]
            gatherer.close()

    asyncio.run(scenario())


def test_at_a_low_rate_nothing_waits() -> None:
    async def scenario() -> None:
        groups = Groups()
        groups.go.set()
        async with gathering(groups) as (client, held):
            gatherer = Gatherer(groups.forward, gather_s=1.5 * RATE_S)  # one request in each `RATE_S` is not worth to wait for
            await asyncio.sleep(RATE_S)
            for number in range(2):
                asked = asyncio.create_task(client.exchange(*requests(b"a"), timeout_s=10))
                added(gatherer, (await held_back(held, number + 1))[number:])
                for _ in range(3):  # the turn in which it leaves, and the start of its task
                    await asyncio.sleep(0)
                assert len(groups.seen) == number + 1
                await asked
            gatherer.close()

    asyncio.run(scenario())
