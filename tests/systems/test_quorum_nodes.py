"""The quorum store's nodes and its client on real connections, inside this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from harness.cluster.ports import HOST, reserved
from harness.http.client import HttpClient
from harness.http.message import Request, Response
from harness.http.server import listen
from harness.model.system import Address
from harness.node.context import NodeContext, NodeSpec
from systems.quorum import node as quorum_node
from systems.quorum import peer as quorum_peer
from systems.quorum.messages import Entry, Query, ReplicaRequest, Store, Version
from systems.quorum.peer import MAX_IN_FLIGHT_SILENT, SILENT_AFTER, Peer

T = TypeVar("T")
Handler = Callable[[Request], Awaitable[Response]]


async def never(request: Request) -> Response:
    """No answer, as long as the connection lasts."""
    await asyncio.Event().wait()
    raise AssertionError


class Nodes:
    """Nodes n1 to n3 of one store, each with its own data; those that are not started refuse connections."""

    def __init__(self, tmp_path: Path, ports: Sequence[int]) -> None:
        self._tmp_path = tmp_path
        self.addresses: dict[str, Address] = {f"n{number}": (HOST, port) for number, port in enumerate(ports, start=1)}
        self.running: dict[str, asyncio.Task[None]] = {}
        self.servers: list[asyncio.Server] = []
        self.clients = {name: HttpClient(address) for name, address in self.addresses.items()}

    async def start(self, *names: str) -> None:
        for name in names:
            peers = {peer: address for peer, address in self.addresses.items() if peer != name}
            spec = NodeSpec(
                name=name, start=0, host=HOST, port=self.addresses[name][1], data=str(self._tmp_path / name), log="", seed=1,
                peers=peers, config={"read": 2, "write": 2},
            )  # fmt: skip
            ready = asyncio.Event()
            self.running[name] = asyncio.create_task(quorum_node.main(_Announced(spec, ready)))
            await ready.wait()

    async def stop(self, name: str) -> None:
        task = self.running.pop(name)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def impersonate(self, name: str, handler: Handler) -> None:
        """Have something else answer at a node's address."""
        self.servers.append(await listen(handler, self.addresses[name]))

    async def get(self, name: str, key: str = "k") -> tuple[int, object]:
        return await self._ask(name, "GET", key, b"")

    async def put(self, name: str, value: str, key: str = "k") -> tuple[int, object]:
        return await self._ask(name, "PUT", key, msgspec.json.encode({"value": value}))

    async def _ask(self, name: str, method: str, key: str, body: bytes) -> tuple[int, object]:
        response = await self.clients[name].request(method, f"/kv/{key}", body, timeout_s=20)
        return response.status, response.decode(object)

    async def close(self) -> None:
        for client in self.clients.values():
            client.close()
        for server in self.servers:
            server.close()
        for name in list(self.running):
            await self.stop(name)


class _Announced(NodeContext):
    """A node that says when it is about to listen."""

    def __init__(self, spec: NodeSpec, ready: asyncio.Event) -> None:
        super().__init__(spec)
        self._ready = ready

    async def serve(self, handler: Handler) -> None:
        server = await listen(handler, self.listen)
        self._ready.set()
        async with server:
            await server.serve_forever()


def store(tmp_path: Path, scenario: Callable[[Nodes], Coroutine[Any, Any, T]]) -> T:
    """Run a scenario on the nodes of one store."""

    async def run() -> T:
        async with asyncio.timeout(60), closing(Nodes(tmp_path, ports)) as nodes:
            return await scenario(nodes)

    with reserved(3) as ports:
        return asyncio.run(run())


@contextlib.asynccontextmanager
async def closing(nodes: Nodes) -> AsyncIterator[Nodes]:
    try:
        yield nodes
    finally:
        await nodes.close()


# ----------------------------------------------------------------------------------------------------------------- nodes


def test_what_one_node_wrote_any_node_reads(tmp_path: Path) -> None:
    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1", "n2", "n3")
        assert await nodes.get("n2") == (200, {"value": None})
        assert await nodes.put("n1", "first") == (200, {"value": None})
        assert await nodes.get("n3") == (200, {"value": "first"})
        assert await nodes.put("n2", "second") == (200, {"value": None})
        assert [await nodes.get(name) for name in ("n1", "n2", "n3")] == [(200, {"value": "second"})] * 3

    store(tmp_path, scenario)


@pytest.mark.parametrize("key", ["a%20b", "%25", "%C5%BElu%C5%A5", "a%2Fb", "%3Fx=1"])
def test_keys_are_any_text(tmp_path: Path, key: str) -> None:
    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1", "n2")
        await nodes.put("n1", "value", key)
        assert await nodes.get("n2", key) == (200, {"value": "value"})
        assert await nodes.get("n2", key + "x") == (200, {"value": None})

    store(tmp_path, scenario)


def test_two_of_three_nodes_are_enough(tmp_path: Path) -> None:
    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1", "n3")
        assert (await nodes.put("n1", "1"))[0] == 200
        assert await nodes.get("n3") == (200, {"value": "1"})

    store(tmp_path, scenario)


def test_one_node_alone_refuses_and_says_why(tmp_path: Path) -> None:
    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n2")
        refused = {"outcome": "failed", "error": "query: 2 of 3 replicas needed, answers of: n2"}
        assert await nodes.put("n2", "1") == (503, refused)
        assert await nodes.get("n2") == (503, refused)
        await nodes.start("n1")
        assert await nodes.get("n1") == (200, {"value": None})

    store(tmp_path, scenario)


def test_a_write_that_some_replica_may_have_is_unknown(tmp_path: Path) -> None:
    """The peer answers the query, and then takes the value without a word."""

    async def scenario(nodes: Nodes) -> None:
        async def takes_silently(request: Request) -> Response:
            if isinstance(msgspec.json.decode(request.body, type=ReplicaRequest), Query):
                return Response.json(Entry())
            return await never(request)

        await nodes.impersonate("n2", takes_silently)
        await nodes.start("n1")
        status, answer = await nodes.put("n1", "1")
        assert (status, answer) == (
            504,
            {"outcome": "unknown", "error": "store: 2 of 3 replicas needed, answers of: n1"},
        )

    store(tmp_path, scenario)


def test_a_replica_is_asked_again_when_its_connection_died_under_the_first_question(tmp_path: Path) -> None:
    async def scenario(nodes: Nodes) -> None:
        asked = 0

        async def answers_the_second_time(request: Request) -> Response:
            nonlocal asked
            asked += 1
            return Response(500) if asked == 1 else Response.json(Entry(Version(7, "n2", 1), "seven"))

        await nodes.impersonate("n2", answers_the_second_time)
        await nodes.start("n1")
        assert await nodes.get("n1") == (200, {"value": "seven"})

    store(tmp_path, scenario)


def test_nodes_that_were_all_stopped_come_back_with_what_they_had(tmp_path: Path) -> None:
    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1", "n2", "n3")
        for number in range(20):
            await nodes.put("n1", str(number), f"key{number % 7}")
        for name in ("n1", "n2", "n3"):
            await nodes.stop(name)
        await nodes.start("n2", "n3")
        assert [await nodes.get("n3", f"key{number % 7}") for number in range(13, 20)] == [
            (200, {"value": str(number)}) for number in range(13, 20)
        ]

    store(tmp_path, scenario)


def test_writes_that_go_on_at_once_leave_one_value_that_all_nodes_agree_on(tmp_path: Path) -> None:
    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1", "n2", "n3")
        written = await asyncio.gather(*(nodes.put(f"n{number % 3 + 1}", str(number)) for number in range(18)))
        assert {status for status, _ in written} == {200}
        seen = [await nodes.get(name) for name in ("n1", "n2", "n3")]
        assert seen[0] == seen[1] == seen[2]

    store(tmp_path, scenario)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/", b"", 404),
        ("GET", "/kv/", b"", 404),
        ("DELETE", "/kv/k", b"", 404),
        ("PUT", "/kv/k", b"plain", 400),
        ("PUT", "/kv/k", b'{"value": 1}', 400),
        ("PUT", "/kv/k", b"{}", 400),
        ("POST", "/replica", b'{"type": "Query"}', 400),
        ("POST", "/replica", b'{"type": "Drop", "key": "k"}', 400),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(tmp_path: Path, method: str, path: str, body: bytes, status: int) -> None:
    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1", "n2")
        assert (await nodes.clients["n1"].request(method, path, body, timeout_s=20)).status == status
        assert await nodes.get("n1") == (200, {"value": None})

    store(tmp_path, scenario)


def test_a_replica_tells_what_it_holds_in_plain_json(tmp_path: Path) -> None:
    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1")
        body = msgspec.json.encode(Store("k", Entry(Version(3, "n9", 1, 1), "three")))
        await nodes.clients["n1"].request("POST", "/replica", body, timeout_s=20)
        told = await nodes.clients["n1"].request("POST", "/replica", b'{"type": "Query", "key": "k"}', timeout_s=20)
        assert told.decode(object) == {"version": {"counter": 3, "writer": "n9", "start": 1, "number": 1}, "value": "three"}

    store(tmp_path, scenario)


# ----------------------------------------------------------------------------------------------------------------- peers


def test_a_peer_that_does_not_answer_is_left_with_few_requests_until_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    silent, held, most = True, 0, 0

    async def answer(request: Request) -> Response:
        nonlocal held, most
        held += 1
        most = max(most, held)
        try:
            if silent:
                await asyncio.Event().wait()
            return Response.json(Entry())
        finally:
            held -= 1

    async def run() -> None:
        nonlocal silent, most
        server = await listen(answer, (HOST, 0))
        peer = Peer(server.sockets[0].getsockname())
        assert await asyncio.gather(*(peer.ask(Query("k"), 0.01) for _ in range(SILENT_AFTER))) == [None] * SILENT_AFTER
        most = 0
        assert await asyncio.gather(*(peer.ask(Query("k"), 0.01) for _ in range(200))) == [None] * 200
        assert 0 < most <= MAX_IN_FLIGHT_SILENT
        silent = False
        assert await peer.ask(Query("k"), 20) == Entry()
        assert await asyncio.gather(*(peer.ask(Query("k"), 20) for _ in range(50))) == [Entry()] * 50
        monkeypatch.setattr(quorum_peer, "MAX_IN_FLIGHT", 20)
        answers = await asyncio.gather(*(peer.ask(Query("k"), 20) for _ in range(50)))
        assert answers.count(None) == 30
        server.close()

    asyncio.run(run())


def test_a_damaged_replica_asks_the_others_in_the_order_in_which_they_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same in each process, so that a simulated run can be repeated: the order of a set of names is not."""
    asked: list[Address] = []

    async def entries(self: Peer, timeout_s: float) -> None:
        asked.append(self._client.address)

    monkeypatch.setattr(Peer, "entries", entries)
    monkeypatch.setattr(quorum_node, "PHASE_TIMEOUT_S", 0.0)
    (tmp_path / "entries.log").write_bytes(b"")
    peers: dict[str, Address] = {f"p{number}": (HOST, number) for number in range(1, 21)}
    spec = NodeSpec(
        name="n", start=0, host=HOST, port=1, data=str(tmp_path), log="", seed=1, peers=peers, config={"read": 11, "write": 11}
    )

    async def recover() -> None:
        server = quorum_node.Server(NodeContext(spec), quorum_node.Config(read=11, write=11))
        task = asyncio.create_task(server.recover())
        while len(asked) < 20:
            await asyncio.sleep(0)
        task.cancel()

    asyncio.run(recover())
    assert asked[:20] == list(peers.values())
