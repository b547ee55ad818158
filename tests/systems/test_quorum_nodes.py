"""The quorum store's nodes and its client on real connections, inside this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from harness.cluster.ports import HOST, reserved
from harness.http.client import HttpClient
from harness.http.message import Request, Response
from harness.http.server import listen
from harness.model.errors import HarnessError
from harness.model.system import Address
from harness.node.context import NodeContext, NodeSpec
from systems.quorum import node as quorum_node
from systems.quorum import peer as quorum_peer
from systems.quorum import replica as replica_module
from systems.quorum.messages import MAX_KEY_BYTES, MAX_VALUE_BYTES, Entry, Query, ReplicaRequest, Store, Version
from systems.quorum.peer import MAX_IN_FLIGHT_SILENT, SILENT_AFTER, Peer

T = TypeVar("T")
Handler = Callable[[Request], Awaitable[Response]]


async def never(request: Request) -> Response:
    """No answer, as long as the connection lasts."""
    await asyncio.Event().wait()
    raise AssertionError


class Nodes:
    """Nodes n1 to n3 of one store, each with its own data; those that are not started refuse connections."""

    def __init__(self, tmp_path: Path, ports: Sequence[int], config: dict[str, object]) -> None:
        self._tmp_path = tmp_path
        self.config = config
        self.addresses: dict[str, Address] = {f"n{number}": (HOST, port) for number, port in enumerate(ports, start=1)}
        self.running: dict[str, asyncio.Task[None]] = {}
        self.servers: list[asyncio.Server] = []
        self.clients = {name: HttpClient(address) for name, address in self.addresses.items()}

    async def start(self, *names: str) -> None:
        for name in names:
            ready = asyncio.Event()
            self.running[name] = asyncio.create_task(quorum_node.main(_Announced(self.spec(name), ready)))
            await ready.wait()

    def spec(self, name: str) -> NodeSpec:
        peers = {peer: address for peer, address in self.addresses.items() if peer != name}
        return NodeSpec(
            name=name, start=0, host=HOST, port=self.addresses[name][1], data=str(self._tmp_path / name), log="", seed=1,
            peers=peers, config={"replicas": 3, "read": 2, "write": 2, **self.config},
        )  # fmt: skip

    async def stop(self, name: str) -> None:
        task = self.running.pop(name)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        self.clients[name].close()  # an open connection outlives its server
        self.clients[name] = HttpClient(self.addresses[name])

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

    async def _serve(self, server: asyncio.Server) -> None:
        self._ready.set()
        await super()._serve(server)


def store(tmp_path: Path, scenario: Callable[[Nodes], Coroutine[Any, Any, T]], **config: object) -> T:
    """Run a scenario on the nodes of one store."""

    async def run() -> T:
        async with asyncio.timeout(60), closing(Nodes(tmp_path, ports, config)) as nodes:
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
            if request.path != "/replica":
                return Response(503)
            requests = msgspec.json.decode(request.body, type=list[ReplicaRequest])
            if isinstance(requests[0], Query):
                return Response.json([Entry()] * len(requests))
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
            if request.path != "/replica":
                return Response(503)
            asked += 1
            return Response(500) if asked == 1 else Response.json([Entry(Version(7, "n2", 1), "seven")])

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
        ("PATCH", "/kv/k", b"", 405),
        ("PUT", "/kv/k", b"plain", 400),
        ("PUT", "/kv/k", b'{"value": "x"', 400),
        ("PUT", "/kv/k", b'{"value": 1}', 400),
        ("PUT", "/kv/k", b'{"value": "1", "valeu": "2"}', 400),
        ("PUT", "/kv/k", b"{}", 400),
        ("PUT", "/kv/k", msgspec.json.encode({"value": "x" * (MAX_VALUE_BYTES + 1)}), 413),
        ("PUT", "/kv/k", msgspec.json.encode({"value": "ž" * (MAX_VALUE_BYTES // 2 + 1)}), 413),
        ("PUT", "/kv/" + "k" * (MAX_KEY_BYTES + 1), b'{"value": "1"}', 414),
        ("PUT", "/kv/k?write=4", b'{"value": "1"}', 400),
        ("PUT", "/kv/k?write=two", b'{"value": "1"}', 400),
        ("GET", "/kv/k?read=0", b"", 400),
        ("POST", "/kv/k", b'{"value": "1"}', 400),
        ("POST", "/kv/k?read=1", b'{"expected": null, "value": "1"}', 400),
        ("GET", "/replica?part=1&of=1", b"", 400),
        ("GET", "/replica?part=x", b"", 400),
        ("POST", "/replica", b'[{"type": "Query"}]', 400),
        ("POST", "/replica", b'{"type": "Query", "key": "k"}', 400),
        ("POST", "/replica", b'[{"type": "Forget", "key": "k"}]', 400),
        ("POST", "/replica", b'[{"type": "Keep", "key": "k", "home": "n9", "entry": {"value": "1"}}]', 400),
        ("POST", "/repair/ranges", b'["n9", [""]]', 409),
        ("POST", "/repair/entries", b'{"k": 1}', 400),
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
        body = msgspec.json.encode([Store("k", Entry(Version(3, "n9", 1, 1), "three"))])
        await nodes.clients["n1"].request("POST", "/replica", body, timeout_s=20)
        told = await nodes.clients["n1"].request("POST", "/replica", b'[{"type": "Query", "key": "k"}]', timeout_s=20)
        assert told.decode(object) == [{"version": {"counter": 3, "writer": "n9", "start": 1, "number": 1}, "value": "three"}]

    store(tmp_path, scenario)


async def asks(nodes: Nodes, name: str, method: str, path: str, body: object = None) -> tuple[int, object]:
    encoded = b"" if body is None else msgspec.json.encode(body)
    response = await nodes.clients[name].request(method, path, encoded, timeout_s=20)
    return response.status, response.decode(object)


def test_a_deleted_key_reads_as_null_and_may_be_written_again(tmp_path: Path) -> None:
    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1", "n2", "n3")
        await nodes.put("n1", "1")
        assert await asks(nodes, "n2", "DELETE", "/kv/k") == (200, {"value": None})
        assert await nodes.get("n3") == (200, {"value": None})
        await nodes.put("n3", "2")
        assert await nodes.get("n1") == (200, {"value": "2"})

    store(tmp_path, scenario)


def test_compare_and_set_tells_whether_it_did(tmp_path: Path) -> None:
    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1", "n2", "n3")
        assert await asks(nodes, "n1", "POST", "/kv/k", {"expected": None, "value": "1"}) == (
            200,
            {"swapped": True, "value": None},
        )
        assert await asks(nodes, "n2", "POST", "/kv/k", {"expected": None, "value": "2"}) == (
            200,
            {"swapped": False, "value": "1"},
        )
        assert await asks(nodes, "n3", "POST", "/kv/k", {"expected": "1", "value": "3"}) == (
            200,
            {"swapped": True, "value": None},
        )
        assert await nodes.get("n1") == (200, {"value": "3"})
        together = [asks(nodes, f"n{at % 3 + 1}", "POST", "/kv/k", {"expected": "3", "value": f"of {at}"}) for at in range(12)]
        answers = [answer for status, answer in await asyncio.gather(*together) if status == 200]
        assert sum(answer == {"swapped": True, "value": None} for answer in answers) <= 1

    store(tmp_path, scenario)


@pytest.mark.parametrize("config", [{"read": 1}, {"tombstone_grace_s": 5.0}])
def test_compare_and_set_is_refused_if_it_is_not_promised(tmp_path: Path, config: dict[str, object]) -> None:
    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1", "n2")
        status, answer = await asks(nodes, "n1", "POST", "/kv/k", {"expected": None, "value": "1"})
        assert status == 501
        assert "compare-and-set is not promised" in str(answer)

    store(tmp_path, scenario, **config)


def test_a_request_may_ask_for_quorums_of_its_own(tmp_path: Path) -> None:
    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1", "n2")
        assert (await asks(nodes, "n1", "PUT", "/kv/k?write=3", {"value": "1"}))[0] == 504
        assert (await asks(nodes, "n1", "PUT", "/kv/k?write=1", {"value": "2"}))[0] == 200
        assert await nodes.get("n1") == (200, {"value": "2"})

    async def alone(nodes: Nodes) -> None:
        await nodes.start("n1")
        assert (await nodes.put("n1", "1"))[0] == 503
        assert (await asks(nodes, "n1", "PUT", "/kv/k?read=1&write=1", {"value": "1"}))[0] == 200
        assert (await nodes.get("n1"))[0] == 503
        assert await asks(nodes, "n1", "GET", "/kv/k?read=1&write=1") == (200, {"value": "1"})

    store(tmp_path / "two", scenario)
    store(tmp_path / "one", alone)


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    while not await true():
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("config", [{"repair_every_s": None}, {"repair_every_s": 0.1, "hinted_handoff": False}])
def test_a_node_that_is_back_gets_what_it_missed(tmp_path: Path, config: dict[str, object]) -> None:
    """From those that kept it for it, or by comparing what it holds with them."""

    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1", "n2")
        for number in range(40):
            await nodes.put("n1", str(number), f"key{number}")
        await nodes.start("n3")

        async def has_all() -> bool:
            answers = [await asks(nodes, "n3", "GET", f"/kv/key{number}?read=1&write=1") for number in range(40)]
            return answers == [(200, {"value": str(number)}) for number in range(40)]

        await until(has_all)

    store(tmp_path, scenario, **config)


def test_a_node_does_not_start_on_the_data_of_another_one(tmp_path: Path) -> None:
    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1", "n2")
        await nodes.put("n1", "1")
        await nodes.stop("n1")
        (tmp_path / "n1").rename(tmp_path / "n3")
        with pytest.raises(HarnessError, match=r"n3 was started on the data of n1, .* Give n3 its own folder\."):
            quorum_node.Server(NodeContext(nodes.spec("n3")), quorum_node.Config(replicas=3, read=2, write=2))

    store(tmp_path, scenario)


@pytest.mark.parametrize("part_bytes", [4 * 1024 * 1024, 1000])
def test_a_node_in_memory_asks_the_others_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part_bytes: int
) -> None:
    """They tell all that they hold, in parts if that is much."""
    monkeypatch.setattr(replica_module, "PART_BYTES", part_bytes)

    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1", "n2", "n3")
        await nodes.put("n1", "1")
        for number in range(30):
            await nodes.put("n1", "1", f"key{number}")
        assert not (tmp_path / "n2" / "entries.log").exists()
        await nodes.stop("n2")
        await nodes.start("n2")
        for key in ("k", *(f"key{number}" for number in range(30))):
            await until(partial(answers, nodes, "n2", key))
        for name in ("n1", "n2", "n3"):
            await nodes.stop(name)
        await nodes.start("n1", "n2", "n3")
        assert (await nodes.get("n1"))[0] == 503  # none of them knows any more, and none says that there was nothing

    async def answers(nodes: Nodes, name: str, key: str) -> bool:
        return await asks(nodes, name, "GET", f"/kv/{key}?read=1&write=1") == (200, {"value": "1"})

    store(tmp_path, scenario, memory=True, repair_every_s=None, hinted_handoff=False)


# ----------------------------------------------------------------------------------------------------------------- peers


async def asked(peer: Peer, count: int) -> list[Entry | None]:
    """The answers to so many questions, each in a turn of its own, so that they do not travel together."""
    answers: list[asyncio.Future[Entry | None]] = []
    for _ in range(count):
        answers.append(asyncio.get_running_loop().create_future())
        peer.ask(Query("k"), answers[-1].set_result)
        await asyncio.sleep(0)
    return await asyncio.gather(*answers)


def test_a_peer_that_does_not_answer_is_left_with_few_requests_until_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    silent, held, most = True, 0, 0

    async def answer(request: Request) -> Response:
        nonlocal held, most
        held += 1
        most = max(most, held)
        try:
            if silent:
                await asyncio.Event().wait()
            return Response.json([Entry()] * len(msgspec.json.decode(request.body, type=list[ReplicaRequest])))
        finally:
            held -= 1

    async def run() -> None:
        nonlocal silent, most
        server = await listen(answer, (HOST, 0))
        impatient = Peer(server.sockets[0].getsockname(), 0.01)
        assert await asked(impatient, SILENT_AFTER) == [None] * SILENT_AFTER
        assert impatient.silent
        most = 0
        assert await asked(impatient, 200) == [None] * 200
        assert 0 < most <= MAX_IN_FLIGHT_SILENT
        silent = False
        peer = Peer(server.sockets[0].getsockname(), 20)
        assert await asked(peer, 1) == [Entry()]
        assert not peer.silent
        monkeypatch.setattr(quorum_peer, "MAX_IN_FLIGHT", 20)
        assert (await asked(peer, 50)).count(None) <= 30
        server.close()

    asyncio.run(run())


def test_what_is_asked_in_one_turn_travels_together_and_reads_do_not_wait_for_writes() -> None:
    bodies: list[list[ReplicaRequest]] = []

    async def answer(request: Request) -> Response:
        bodies.append(msgspec.json.decode(request.body, type=list[ReplicaRequest]))
        return Response.json([Entry()] * len(bodies[-1]))

    async def run() -> None:
        server = await listen(answer, (HOST, 0))
        peer = Peer(server.sockets[0].getsockname(), 20)
        left, done = 5, asyncio.Event()

        def answered(entry: Entry | None) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                done.set()

        for request in (Query("a"), Store("a", Entry()), Query("b"), Store("b", Entry()), Query("c")):
            peer.ask(request, answered)
        await done.wait()
        server.close()
        assert sorted(bodies, key=len) == [[Store("a", Entry()), Store("b", Entry())], [Query("a"), Query("b"), Query("c")]]

    asyncio.run(run())


def test_a_damaged_replica_asks_the_others_in_the_order_in_which_they_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same in each process, so that a simulated run can be repeated: the order of a set of names is not."""
    asked: list[Address] = []

    async def entries(self: Peer) -> None:
        asked.append(self._client.address)

    monkeypatch.setattr(Peer, "entries", entries)
    monkeypatch.setattr(quorum_node, "PHASE_TIMEOUT_S", 0.0)
    (tmp_path / "entries.log").write_bytes(b"")
    peers: dict[str, Address] = {f"p{number}": (HOST, number) for number in range(1, 21)}
    spec = NodeSpec(
        name="n",
        start=0,
        host=HOST,
        port=1,
        data=str(tmp_path),
        log="",
        seed=1,
        peers=peers,
        config={"replicas": 21, "read": 11, "write": 11},
    )

    async def recover() -> None:
        server = quorum_node.Server(NodeContext(spec), quorum_node.Config(replicas=21, read=11, write=11))
        task = asyncio.create_task(server.maintain())
        while len(asked) < 20:
            await asyncio.sleep(0)
        task.cancel()

    asyncio.run(recover())
    assert asked[:20] == list(peers.values())
