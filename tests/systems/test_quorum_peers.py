"""How the quorum store's nodes ask each other, on real connections inside this process, and get back what they missed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import msgspec
import pytest

from harness.cluster.ports import HOST
from harness.http.message import Request, Response
from harness.http.server import listen
from harness.model.system import Address
from harness.node.context import NodeContext, NodeSpec
from systems.parts.owner import Owner
from systems.parts.sealing import SealedClient
from systems.parts.silence import SILENT_AFTER, Heard
from systems.quorum import node as quorum_node
from systems.quorum import peer as quorum_peer
from systems.quorum import replica as replica_module
from systems.quorum.messages import ENTRIES_PATH, Entry, Query, ReplicaRequest, Store, Version
from systems.quorum.peer import MAX_IN_FLIGHT_SILENT, Peer
from systems.quorum.replica import Held
from tests.helpers.effort import left_to_ci
from tests.helpers.quorum_nodes import Nodes, sealing, store

N2 = Owner("quorum", "n2")


async def asked(peer: Peer, count: int) -> list[Entry | None]:
    """The answers to this many requests, each in a separate turn, so that they do not travel together."""
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
        server = await listen(sealing(answer), (HOST, 0))
        impatient = Peer(N2, server.sockets[0].getsockname(), 0.01)
        assert await asked(impatient, SILENT_AFTER) == [None] * SILENT_AFTER
        assert impatient.heard == Heard(0, SILENT_AFTER, silent=True)
        most = 0
        assert await asked(impatient, 200) == [None] * 200
        assert 0 < most <= MAX_IN_FLIGHT_SILENT
        silent = False
        peer = Peer(N2, server.sockets[0].getsockname(), 20)
        assert await asked(peer, 1) == [Entry()]
        assert peer.heard == Heard(1, 0, silent=False)
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
        server = await listen(sealing(answer), (HOST, 0))
        peer = Peer(N2, server.sockets[0].getsockname(), 20)
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


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    while not await true():
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("config", [{"repair_every_s": None}, {"repair_every_s": 0.1, "hinted_handoff": False}])
def test_a_node_that_is_back_gets_what_it_missed(tmp_path: Path, config: dict[str, object]) -> None:
    """It gets it from the nodes that kept it, or by comparing contents with them."""

    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1", "n2")
        for number in range(40):
            await nodes.put("n1", str(number), f"key{number}")
        await nodes.start("n3")

        async def has_all() -> bool:
            answers = [await nodes.ask("n3", "GET", f"/kv/key{number}?read=1&write=1") for number in range(40)]
            return answers == [(200, {"value": str(number)}) for number in range(40)]

        await until(has_all)

    store(tmp_path, scenario, phase_timeout_s=0.5, **config)


def test_long_values_that_a_node_missed_come_a_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All at once they would take longer than a node waits for them, each time."""
    monkeypatch.setattr(replica_module, "PART_BYTES", 1000)
    keys = [f"key{number}" for number in range(10)]

    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1", "n2")
        for key in keys:
            await nodes.put("n1", "." * 600, key)
        client = SealedClient(nodes.addresses["n1"])
        headers, body = Owner("quorum", "n1").headers, msgspec.json.encode(keys)
        answer = await client.request("POST", ENTRIES_PATH, body, timeout_s=20, headers=headers)
        assert [held.key for held in answer.decode(list[Held])] == keys[:2]
        client.close()
        await nodes.start("n3")

        async def has_all() -> bool:
            answers = [await nodes.ask("n3", "GET", f"/kv/{key}?read=1&write=1") for key in keys]
            return answers == [(200, {"value": "." * 600})] * 10

        await until(has_all)

    store(tmp_path, scenario, phase_timeout_s=0.5, repair_every_s=0.1, hinted_handoff=False)


@pytest.mark.parametrize("part_bytes", [left_to_ci(4 * 1024 * 1024), 1000])
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
        return await nodes.ask(name, "GET", f"/kv/{key}?read=1&write=1") == (200, {"value": "1"})

    store(tmp_path, scenario, phase_timeout_s=0.5, memory=True, repair_every_s=None, hinted_handoff=False)
