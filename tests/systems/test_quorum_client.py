"""The quorum store's client: which node it asks, and how it reads the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import pytest

from harness.cluster.ports import HOST, reserved
from harness.http.message import Broken, Request, Response, TransportError
from harness.http.server import Handler, listen
from harness.model.system import Answer, Call, CallFailed
from systems.quorum.client import QuorumClient
from systems.quorum.messages import CompareAndSet, Compared, Got, Put
from tests.helpers.quorum_nodes import never

T = TypeVar("T")
READ, WRITE = Call("read", "k"), Call("write", "k", "1")


def answered(status: int, body: object) -> Handler:
    async def answer(request: Request) -> Response:
        return Response.json(body, status)

    return answer


GOOD = answered(200, {"value": "good"})
NO_QUORUM = answered(503, {"outcome": "failed", "error": "no quorum"})
UNKNOWN = answered(504, {"outcome": "unknown", "error": "some may have it"})


def with_client(handlers: Sequence[Handler | None], scenario: Callable[[QuorumClient, list[str]], Coroutine[Any, Any, T]]) -> T:
    """A client whose home is n1; None stands for a missing node. The list gathers the requests to each node."""
    asked: list[str] = []

    def noted(name: str, handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            asked.append(f"{name} {request.method}")
            return await handler(request)

        return answer

    async def run(ports: list[int]) -> T:
        entries = [(f"n{number}", (HOST, port)) for number, port in enumerate(ports, start=1)]
        servers = [
            await listen(noted(name, handler), address)
            for (name, address), handler in zip(entries, handlers, strict=True)
            if handler is not None
        ]
        client = QuorumClient(0, entries, read=None, write=None)
        try:
            async with asyncio.timeout(60):
                return await scenario(client, asked)
        finally:
            await client.close()
            for server in servers:
                server.close()

    with reserved(len(handlers)) as ports:
        return asyncio.run(run(ports))


def test_a_client_asks_its_home_node() -> None:
    async def scenario(client: QuorumClient, asked: list[str]) -> None:
        assert await client.invoke(READ) == Answer("good", "n1")
        assert await client.invoke(WRITE) == Answer(None, "n1")
        assert asked == ["n1 GET", "n1 PUT"]

    with_client([GOOD, GOOD, GOOD], scenario)


@pytest.mark.parametrize("home", [None, NO_QUORUM])
def test_a_write_that_was_not_sent_or_was_refused_has_failed_and_is_sent_nowhere_else(home: Handler | None) -> None:
    async def scenario(client: QuorumClient, asked: list[str]) -> None:
        with pytest.raises(CallFailed, match="n1: "):
            await client.invoke(WRITE)
        assert [name for name in asked if not name.startswith("n1")] == []
        assert await client.invoke(WRITE) == Answer(None, "n2")

    with_client([home, GOOD, GOOD], scenario)


@pytest.mark.parametrize(
    ("told", "value"),
    [
        ({"swapped": True, "value": None}, '["1","2"]'),
        ({"swapped": False, "value": "3"}, '["1","2",false,"3"]'),
        ({"swapped": False, "value": None}, '["1","2",false,null]'),
    ],
)
def test_a_compare_and_set_tells_what_it_found(told: object, value: str) -> None:
    async def scenario(client: QuorumClient, asked: list[str]) -> None:
        assert await client.invoke(Call("cas", "k", '["1","2"]')) == Answer(value, "n1")

    with_client([answered(200, told), GOOD, GOOD], scenario)


@pytest.mark.parametrize("home", [UNKNOWN, answered(500, {}), answered(507, {})])
def test_a_write_that_may_have_acted_is_unknown_and_is_sent_nowhere_else(home: Handler) -> None:
    async def scenario(client: QuorumClient, asked: list[str]) -> None:
        with pytest.raises(TransportError, match="n1: "):
            await client.invoke(WRITE)
        assert asked == ["n1 PUT"]
        assert await client.invoke(READ) == Answer("good", "n2")

    with_client([home, GOOD, GOOD], scenario)


def test_a_write_whose_connection_broke_is_unknown() -> None:
    async def run() -> None:
        breaker = await asyncio.start_server(lambda _, writer: writer.close(), HOST, 0)
        client = QuorumClient(0, [("n1", breaker.sockets[0].getsockname())], read=None, write=None)
        with pytest.raises(Broken, match="n1: "):
            await client.invoke(WRITE)
        breaker.close()

    asyncio.run(run())


@pytest.mark.parametrize("home", [None, NO_QUORUM, UNKNOWN, answered(500, {})])
def test_a_read_is_asked_of_the_next_node(home: Handler | None) -> None:
    async def scenario(client: QuorumClient, asked: list[str]) -> None:
        assert await client.invoke(READ) == Answer("good", "n3")
        assert await client.invoke(READ) == Answer("good", "n3")

    with_client([home, None, GOOD], scenario)


def test_a_read_that_no_node_answers_has_failed() -> None:
    async def scenario(client: QuorumClient, asked: list[str]) -> None:
        with pytest.raises(CallFailed, match="n3: no quorum"):
            await client.invoke(READ)

    with_client([None, NO_QUORUM, NO_QUORUM], scenario)


def test_a_call_that_was_given_up_leaves_its_node_too() -> None:
    async def scenario(client: QuorumClient, asked: list[str]) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await client.invoke(WRITE)
        assert await client.invoke(WRITE) == Answer(None, "n2")

    with_client([never, GOOD, GOOD], scenario)


def test_a_client_comes_home_again() -> None:
    refuses = True

    async def home(request: Request) -> Response:
        return await (NO_QUORUM if refuses else GOOD)(request)

    async def scenario(client: QuorumClient, asked: list[str]) -> None:
        nonlocal refuses
        assert await client.invoke(READ) == Answer("good", "n2")
        refuses = False
        nodes = [(await client.invoke(READ)).node for _ in range(30)]
        assert nodes[0] == "n2"
        assert nodes[-1] == "n1"
        assert nodes == sorted(nodes, reverse=True)

    with_client([home, GOOD, GOOD], scenario)


def test_a_call_that_a_register_does_not_know_has_failed() -> None:
    async def scenario(client: QuorumClient, asked: list[str]) -> None:
        with pytest.raises(CallFailed, match="registers are read, written with a value, deleted, compared and set"):
            await client.invoke(Call("predict", "k"))
        with pytest.raises(CallFailed, match="registers are read, written with a value, deleted, compared and set"):
            await client.invoke(Call("write", "k"))
        assert asked == []

    with_client([GOOD], scenario)


def test_padding_is_on_the_way_only_and_a_value_without_it_is_none_that_was_written() -> None:
    held: str | None = None

    async def register(request: Request) -> Response:
        nonlocal held
        match request.method:
            case "PUT":
                held = request.decode(Put).value
            case "POST":
                asked = request.decode(CompareAndSet)
                swapped = held == asked.expected
                held = asked.value if swapped else held
                return Response.json(Compared(swapped, held))
        return Response.json(Got(held))

    async def scenario() -> None:
        nonlocal held
        with reserved(1) as ports:
            server = await listen(register, (HOST, ports[0]))
            client = QuorumClient(0, [("n1", (HOST, ports[0]))], read=None, write=None, padding_kib=3)
            try:
                assert await client.invoke(READ) == Answer(None, "n1")
                await client.invoke(WRITE)
                assert held is not None
                assert len(held) == 1 + 3 * 1024
                assert await client.invoke(READ) == Answer("1", "n1")
                assert (await client.invoke(Call("cas", "k", '["1","2"]'))).value == '["1","2"]'
                assert await client.invoke(READ) == Answer("2", "n1")
                held = held[:1000]
                assert (await client.invoke(READ)).value == f"2{19 * '.'}… without its padding"
            finally:
                await client.close()
                server.close()

    asyncio.run(scenario())
