"""The strong store's replicas on real connections, inside this process, with their disks, and what they refuse."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest

from harness.cluster.ports import HOST, reserved
from harness.http.client import HttpClient
from harness.http.message import Request, Response, TransportError
from harness.http.server import Handler, listen
from harness.model.system import Address, Answer, Call, CallFailed
from harness.node.context import NodeContext, NodeSpec
from harness.node.crashpoints import MemoryFiles
from harness.node.disk import Disk
from systems.parts.owner import OtherNode
from systems.strong import Strong
from systems.strong.client import StrongClient
from systems.strong.messages import (
    Command,
    Configuration,
    Entry,
    Fence,
    Fetch,
    Got,
    Matched,
    NotDone,
    Position,
    ReplicaAnswer,
    ReplicaRequest,
    Result,
    Write,
)
from systems.strong.node import MOST_VALUE_BYTES, Config, Server
from systems.strong.replica import Take
from systems.strong.storage import LOG, PROMISE, Storage
from tests.helpers.closing import closing

NAMES = ("n1", "n2", "n3")


class MemoryKeeper:
    """A configuration in memory, for all replicas of a test."""

    def __init__(self) -> None:
        self.kept: Configuration | None = None

    async def read(self) -> Configuration | None:
        return self.kept

    async def replace(self, expected: Configuration | None, by: Configuration) -> bool:
        if self.kept != expected:
            return False
        self.kept = by
        return True


class Cluster:
    """Three replicas, and a client for each."""

    def __init__(self, ports: Sequence[int], tmp_path: Path) -> None:
        self.addresses: dict[str, Address] = {name: (HOST, port) for name, port in zip(NAMES, ports, strict=True)}
        self.clients = {name: HttpClient(address) for name, address in self.addresses.items()}
        self.keeper = MemoryKeeper()
        self._tmp_path = tmp_path

    async def run(self, name: str) -> None:
        peers = {other: address for other, address in self.addresses.items() if other != name}
        spec = NodeSpec(
            name=name, start=0, host=HOST, port=self.addresses[name][1], data=str(self._tmp_path / name), log="", seed=1,
            peers=peers,
        )  # fmt: skip
        node = NodeContext(spec)
        config = Config(cluster="c", replicas=NAMES, keepers=(), all_in_sync=True, compact_at_kib=1024, piece_kib=256)
        server = Server(node, config, self.keeper)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.keep())
            await node.serve(server.handle)

    async def ask(self, name: str, method: str, path: str, body: bytes = b"", **headers: str) -> Response:
        return await self.clients[name].request(method, path, body, timeout_s=5, headers=tuple(headers.items()))

    async def until_served(self) -> None:
        while (await self.ask("n1", "GET", "/kv/k")).status != 200:
            await asyncio.sleep(0.01)


def with_cluster(tmp_path: Path, scenario: Callable[[Cluster], Awaitable[None]]) -> None:
    async def run(ports: list[int]) -> None:
        cluster = Cluster(ports, tmp_path)
        running = [asyncio.create_task(cluster.run(name)) for name in NAMES]
        try:
            async with asyncio.timeout(60):
                while True:
                    try:
                        await cluster.until_served()
                        break
                    except TransportError:  # it does not listen yet
                        await asyncio.sleep(0.01)
                await scenario(cluster)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    with reserved(3) as ports:
        asyncio.run(run(ports))


def test_the_primary_is_known_also_if_another_replica_does_not_run(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        running = {name: cluster.addresses[name] for name in ("n1", "n2")}
        assert await Strong().leader(running) == "n1"

    with_cluster(tmp_path, scenario)


def test_any_replica_answers_clients_and_refuses_what_makes_no_sense(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        assert (await cluster.ask("n2", "PUT", "/kv/k", b'{"value": "a"}')).decode(Result) == Result()
        assert (await cluster.ask("n3", "GET", "/kv/k")).decode(Got) == Got("a")
        swapped = await cluster.ask("n1", "POST", "/kv/k", b'{"expected": "b", "value": "c"}')
        assert swapped.decode(Result) == Result(done=False)
        redirected = await cluster.ask("n2", "GET", "/kv/k", redirect="1")
        assert (redirected.status, redirected.decode(NotDone).primary) == (421, "n1")
        assert (await cluster.ask("n1", "DELETE", "/kv/k")).status == 200
        assert (await cluster.ask("n1", "GET", "/kv/k")).decode(Got) == Got(None)

        assert (await cluster.ask("n1", "PUT", "/kv/" + "k" * 1025, b'{"value": "a"}')).status == 413
        long = msgspec.json.encode({"value": "v" * (MOST_VALUE_BYTES + 1)})
        assert (await cluster.ask("n1", "PUT", "/kv/k", long)).status == 413
        assert (await cluster.ask("n1", "PUT", "/kv/k", b'{"value": 1')).status == 400
        assert (await cluster.ask("n1", "PUT", "/kv/k", b'{"value": "a", "sesion": 1}')).status == 400
        assert (await cluster.ask("n1", "PUT", "/kv/k", b'{"value": "a", "session": 999, "number": 1}')).status == 410
        assert (await cluster.ask("n1", "GET", "/nothing")).status == 404

    with_cluster(tmp_path, scenario)


def test_a_replica_refuses_what_is_for_another_node_and_primaries_it_does_not_know(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        kept = cluster.keeper.kept
        assert kept is not None

        async def fenced(by: str, **headers: str) -> Response:
            configuration = msgspec.structs.replace(kept, epoch=9, primary=by)
            request = msgspec.json.encode(Fence(configuration=configuration))
            return await cluster.ask("n2", "POST", "/replica", request, **headers)

        for headers, meant in (
            ({"cluster": "other", "node": "n2"}, "is for n2 of cluster 'other'"),
            ({"cluster": "c", "node": "n3"}, "is for n3 of cluster 'c'"),
            ({}, "does not say whom it is for"),
        ):
            answer = await fenced("n1", **headers)
            assert answer.status == 421
            assert answer.body.decode() == f"this is n2 of cluster 'c', and the question {meant}"
        assert (await fenced("n9", cluster="c", node="n2")).status == 403
        assert (await cluster.ask("n2", "GET", "/kv/k", cluster="c", node="n3")).status == 421
        assert (await cluster.ask("n1", "GET", "/kv/k")).decode(Got) == Got(None)
        assert cluster.keeper.kept is not None
        assert cluster.keeper.kept.epoch == kept.epoch

    with_cluster(tmp_path, scenario)


def test_a_client_whose_answer_was_lost_writes_once(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        client = StrongClient(1, list(cluster.addresses.items()))
        await client.invoke(Call("write", "k", "1"))
        session = (await cluster.ask("n1", "POST", "/sessions")).decode(Result).session
        first = msgspec.json.encode({"expected": "1", "value": "2", "session": session, "number": 1})
        assert (await cluster.ask("n1", "POST", "/kv/k", first)).decode(Result).done
        await client.invoke(Call("write", "k", "3"))
        assert (await cluster.ask("n1", "POST", "/kv/k", first)).decode(Result).done
        assert (await client.invoke(Call("read", "k"))).value == "3"
        assert (await client.invoke(Call("cas", "k", '["9","10"]'))).value == '["9","10",false]'
        await client.close()

    with_cluster(tmp_path, scenario)


def test_a_client_is_not_kept_by_nodes_that_are_out_of_date_and_name_each_other() -> None:
    """n3 takes n2 for the primary, which is not any more, and n1 is."""

    async def run() -> None:
        def answering(status: int, answer: object) -> Handler:
            async def handle(request: Request) -> Response:
                return Response.json(answer, status=status)

            return handle

        answers = {
            "n1": answering(200, Got("a")),
            "n2": answering(421, NotDone("failed", "not the primary")),
            "n3": answering(421, NotDone("failed", "not the primary", "n2")),
        }
        async with AsyncExitStack() as stack:
            servers = {name: await stack.enter_async_context(await listen(answers[name], (HOST, 0))) for name in NAMES}
            entries = [(name, servers[name].sockets[0].getsockname()[:2]) for name in NAMES]
            client = StrongClient(2, entries)
            assert (await client.invoke(Call("read", "k"))) == Answer("a", "n1")
            await client.close()

    asyncio.run(run())


def test_a_refusal_says_nothing_of_an_earlier_try() -> None:
    """A request that was damaged on its way is refused, and the same one may have been carried out before."""

    async def run(*statuses: int) -> None:
        left = iter([(200, Result(session=7)), *((status, NotDone("unknown", "why")) for status in statuses)])

        async def handle(request: Request) -> Response:
            status, answer = next(left)
            return Response.json(answer, status=status)

        async with closing(listen(handle, (HOST, 0))) as server:
            client = StrongClient(0, [("n1", server.sockets[0].getsockname()[:2])])
            try:
                await client.invoke(Call("write", "k", "1"))
            finally:
                await client.close()

    with pytest.raises(CallFailed):
        asyncio.run(run(400))
    with pytest.raises(TransportError):
        asyncio.run(run(504, 400))


# ---------------------------------------------------------------------------------------------------------------- disks


def opened(files: MemoryFiles, *, name: str = "n1", compact_at_bytes: int = 1 << 20) -> Storage:
    return Storage(Disk(files), lambda text: None, cluster="c", name=name, compact_at_bytes=compact_at_bytes)


def kept(*, compact_at_bytes: int = 1 << 20) -> MemoryFiles:
    """A disk with 40 entries, of which 30 are executed."""
    files = MemoryFiles()
    storage = opened(files, compact_at_bytes=compact_at_bytes)
    replica = storage.replica
    storage.promise(1, ready=True)
    for number in range(40):
        written = Take(number, [Entry(1, Command(Write("k", str(number))))], Matched(number + 1))
        storage.take(replica, written)
        replica.took(written)
        replica.commit(number - 9)
    return files


@pytest.mark.parametrize("compact_at_bytes", [1, 400, 1 << 20])
def test_what_was_kept_is_there_after_every_start(compact_at_bytes: int) -> None:
    files = kept(compact_at_bytes=compact_at_bytes)
    for _ in range(2):
        replica = opened(files, compact_at_bytes=compact_at_bytes).replica
        assert replica.ready
        assert replica.log.last == Position(1, 40)
        replica.commit(40)
        assert replica.machine.read("k") == "39"


def test_entries_in_place_of_others_are_kept_so() -> None:
    files = kept()
    storage = opened(files)
    storage.take(storage.replica, Take(35, [Entry(2, Command(Write("k", "x")))], Matched(36)))
    assert opened(files).replica.log.ends() == [Position(1, 35), Position(2, 36)]


@pytest.mark.parametrize("file", [LOG, PROMISE])
def test_damage_is_noticed_and_remembered(file: str) -> None:
    files = kept()
    data = bytearray(files.read(file) or b"")
    data[len(data) // 2] ^= 4
    damaged = MemoryFiles(files.contents() | {file: bytes(data)})
    for _ in range(2):
        assert not opened(damaged).replica.ready


def test_the_folder_of_another_node_is_refused() -> None:
    with pytest.raises(OtherNode, match="holds the data of n1 of cluster 'c', and this is n2 of cluster 'c'"):
        opened(kept(), name="n2")


def test_requests_and_answers_are_told_apart_on_the_wire() -> None:
    configuration = Configuration(1, 1, "n1", NAMES)
    fetch = Fetch(configuration=configuration, ends=[Position(1, 2)], offset=3, most=4)
    for request in (Fence(configuration=configuration), fetch):
        assert msgspec.json.decode(msgspec.json.encode(request), type=ReplicaRequest) == request
    assert msgspec.json.decode(msgspec.json.encode(Matched(3)), type=ReplicaAnswer) == Matched(3)
