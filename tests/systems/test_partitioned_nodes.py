"""What a node of the partitioned store answers, on real connections inside this process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import cast

import msgspec
import pytest

from harness.cluster.ports import HOST, reserved
from harness.http.message import BadBody, Request, Response
from harness.http.server import listen
from harness.model.system import Call
from harness.node.context import NodeContext, NodeSpec
from harness.node.disk import Disk
from systems.partitioned.client import PartitionedClient
from systems.partitioned.messages import (
    BEAT_PATH,
    KEY_PATH,
    MANY_PATH,
    MAP_PATH,
    MISDIRECTED,
    REPLICA_PATH,
    SCAN_PATH,
    Beat,
    Entry,
    GetMany,
    GotMany,
    Places,
    Refusal,
    ReplicaRequest,
    Scan,
    Scanned,
    Status,
    Store,
    Version,
)
from systems.partitioned.moving import first_map, split
from systems.partitioned.node import Config, Server
from systems.partitioned.partition_map import PartitionMap
from systems.partitioned.peer import answer, read
from systems.parts.owner import Owner
from systems.parts.partitioning.members import Member
from systems.parts.sealing import sealed, unsealed
from tests.helpers.closing import closing
from tests.helpers.failing_files import FailingFiles

FIRST = first_map("range", [Member("n1"), Member("n2")], 2, 1, ["p"])


async def told(server: Server, now: PartitionMap, name: str = "n1") -> None:
    """Have the node of this name go by a map."""
    body = sealed(msgspec.json.encode(Beat(now.epoch, now)))
    response = await server.handle(Request("POST", MAP_PATH, headers=dict(Owner("partitioned", name).headers), body=body))
    assert response.status == 200


def test_a_scan_goes_on_under_the_map_that_comes_in_the_middle_of_it(tmp_path: Path) -> None:
    """n2 has n1 go by another map before it says which keys it has: what is read then is read in the new epochs."""

    async def scene(ports: tuple[int, int]) -> Response:
        spec = NodeSpec(
            name="n1", start=0, host=HOST, port=ports[0], data=str(tmp_path), log="", seed=1, peers={"n2": (HOST, ports[1])}
        )
        server = Server(NodeContext(spec), Config())
        await server.open()
        await told(server, FIRST)

        async def n2(request: Request) -> Response:
            asked = read(request, cast("type[ReplicaRequest]", ReplicaRequest))
            if isinstance(asked, Places):
                await told(server, split(FIRST, "c"))
                return answer(["a", "b"])
            return answer(Entry(Version(1, "n2", 1, 1), f"value of {asked.place}"))

        listening = await listen(n2, (HOST, ports[1]))
        async with asyncio.timeout(20):
            response = await server.handle(Request("POST", SCAN_PATH, body=msgspec.json.encode(Scan("", None, 10))))
        listening.close()
        return response

    with reserved(2) as (first, second):
        response = asyncio.run(scene((first, second)))
    assert response.status == 200, response.body
    assert response.decode(Scanned).values == {"a": "value of a", "b": "value of b"}


@pytest.mark.parametrize("limit", [0, -1])
def test_a_scan_must_ask_for_a_key_at_least(limit: int) -> None:
    """Its answer would end where it began, or say that there is nothing."""
    with pytest.raises(BadBody, match=">= 1"):  # of which the server makes a 400
        Request("POST", SCAN_PATH, body=b'{"low": "", "high": null, "limit": %d}' % limit).decode(Scan)


def test_a_client_goes_on_with_a_scan_where_an_answer_ends() -> None:
    keys, asked = ["a", "b", "c", "d", "e"], list[Scan]()

    async def n1(request: Request) -> Response:
        if request.path == MAP_PATH:
            return Response.json(first_map("range", [Member("n1")], 1, 1, []))
        scan = request.decode(Scan)
        asked.append(scan)
        left = [key for key in keys if key >= scan.low]
        until = left[scan.limit] if len(left) > scan.limit else None
        return Response.json(Scanned({key: f"value of {key}" for key in left[: scan.limit]}, until, 1))

    async def scanned() -> str | None:
        async with closing(listen(n1, (HOST, 0))) as server:
            client = PartitionedClient(0, [("n1", server.sockets[0].getsockname()[:2])], "coordinator", scan_at_once=2)
            try:
                return (await client.invoke(Call("scan", '["a",null]'))).value
            finally:
                await client.close()

    assert msgspec.json.decode(asyncio.run(scanned()) or "") == {key: f"value of {key}" for key in keys}
    assert [(scan.low, scan.limit) for scan in asked] == [("a", 2), ("c", 2), ("e", 2)]


def test_a_node_tells_the_coordinator_when_its_disk_takes_data_again_though_nothing_is_written(tmp_path: Path) -> None:
    """The coordinator gives nothing to a node whose disk fails, so no other write would show it."""
    files = FailingFiles()
    node = NodeContext(NodeSpec(name="n1", start=0, host=HOST, port=1, data=str(tmp_path), log="", seed=1))
    node.disk = Disk(files)

    async def asked(server: Server, path: str, body: object) -> Response:
        sent = sealed(msgspec.json.encode(body))
        return await server.handle(Request("POST", path, headers=dict(Owner("partitioned", "n1").headers), body=sent))

    async def failing(server: Server) -> bool:
        response = await asked(server, BEAT_PATH, Beat(FIRST.epoch, None))
        fails = msgspec.json.decode(unsealed(response.body), type=Status).failing
        tell = node._unsettled
        assert tell is not None
        assert tell()["disks that count as failing"] == fails
        return fails

    async def scene() -> list[bool]:
        server = Server(node, Config())
        await server.open()
        await told(server, FIRST)
        files.failing = "append"
        stored = await asked(server, REPLICA_PATH, Store("a", Entry(Version(1, "n2", 1), "v"), 1))
        assert stored.status == 507
        found = [await failing(server)]
        files.failing = ""
        return [*found, await failing(server)]

    assert asyncio.run(scene()) == [True, False]


def test_a_node_answers_only_when_the_number_of_its_start_is_on_its_disk(tmp_path: Path) -> None:
    files = FailingFiles()
    node = NodeContext(NodeSpec(name="n1", start=0, host=HOST, port=1, data=str(tmp_path), log="", seed=1))
    node.disk = Disk(files)

    async def scene() -> list[bytes]:
        await Server(node, Config()).open()
        files.failing = "folder"
        again = Server(node, Config())
        opening = asyncio.create_task(again.open())
        await asyncio.sleep(0)  # up to the pause after the first try
        found = [(await again.handle(Request("GET", MAP_PATH))).body]
        files.failing = ""
        await opening
        return [*found, (await again.handle(Request("GET", MAP_PATH))).body]

    first, second = asyncio.run(scene())
    assert b"still reading its disk" in first
    assert b"no map yet" in second


def test_a_coordinator_that_hangs_up_while_a_node_drains_leaves_it_serving(tmp_path: Path) -> None:
    """It was about to hand its keys on. By its own map they are still its own, and nobody else answers for them."""
    first = first_map("range", [Member("n1"), Member("n2")], 2, 1, [])
    [mine] = first.partitions
    assert mine.owners[0] == "n1"
    handed_on = msgspec.structs.replace(
        first, epoch=2, partitions=(msgspec.structs.replace(mine, epoch=2, owners=("n2", "n1")),)
    )

    async def scene(ports: tuple[int, int]) -> int:
        spec = NodeSpec(
            name="n1", start=0, host=HOST, port=ports[0], data=str(tmp_path), log="", seed=1, peers={"n2": (HOST, ports[1])}
        )
        server, reached, answers = Server(NodeContext(spec), Config()), asyncio.Event(), asyncio.Event()
        await server.open()
        await told(server, first)

        async def n2(_: Request) -> Response:
            reached.set()
            await answers.wait()
            return answer(Entry(Version(1, "n1", 1, 1), "old"))

        async def read_key() -> Response:
            return await server.handle(Request("GET", f"{KEY_PATH}k"))

        listening = await listen(n2, (HOST, ports[1]))
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            under_way = tasks.create_task(read_key())
            await reached.wait()
            body = sealed(msgspec.json.encode(Beat(2, handed_on)))
            beat = Request("POST", BEAT_PATH, headers=dict(Owner("partitioned", "n1").headers), body=body)
            draining = tasks.create_task(server.handle(beat))
            await asyncio.sleep(0)  # it has begun
            assert (await read_key()).status == MISDIRECTED
            draining.cancel()
            answers.set()
            await under_way
            response = await read_key()
        listening.close()
        return response.status

    with reserved(2) as ports:
        assert asyncio.run(scene((ports[0], ports[1]))) == 200


def test_an_exchange_of_maps_counts_as_under_way_until_it_is_over_though_nobody_answers(tmp_path: Path) -> None:
    async def scene(ports: tuple[int, int]) -> list[int]:
        node = NodeContext(
            NodeSpec(
                name="n1", start=0, host=HOST, port=ports[0], data=str(tmp_path), log="", seed=1, peers={"n2": (HOST, ports[1])}
            )
        )
        server, asked, answers = Server(node, Config()), asyncio.Event(), asyncio.Event()
        await server.open()
        await told(server, FIRST)

        async def n2(request: Request) -> Response:
            if request.path != MAP_PATH:
                return answer(Refusal(2, "the partition has another epoch here"))
            asked.set()
            await answers.wait()
            return Response(500)

        def left() -> int:
            tell = node._unsettled
            assert tell is not None
            return tell()["exchanges of maps under way"]

        listening = await listen(n2, (HOST, ports[1]))
        async with asyncio.timeout(20):
            reading = asyncio.create_task(server.handle(Request("GET", f"{KEY_PATH}a")))
            await asked.wait()
            found = [left()]
            answers.set()
            await reading
            while left():
                await asyncio.sleep(0.01)
        listening.close()
        return [*found, left()]

    with reserved(2) as ports:
        assert asyncio.run(scene((ports[0], ports[1]))) == [1, 0]


@pytest.mark.parametrize("cancelled", [True, False])
def test_a_copy_counts_as_under_way_until_it_really_is_over(tmp_path: Path, cancelled: bool) -> None:
    bare = FIRST.partitions[0]
    apart = msgspec.structs.replace(bare, owners=("n2",), placed=("n1",))
    moving = msgspec.structs.replace(apart, epoch=2, target=("n1",), move=2)

    async def scene(ports: tuple[int, int]) -> list[int]:
        node = NodeContext(
            NodeSpec(
                name="n1", start=0, host=HOST, port=ports[0], data=str(tmp_path), log="", seed=1, peers={"n2": (HOST, ports[1])}
            )
        )
        server, found = Server(node, Config()), list[int]()
        await server.open()
        for epoch, partition in ((1, apart), (2, moving), (3, msgspec.structs.replace(apart, epoch=3))):
            await told(server, msgspec.structs.replace(FIRST, epoch=epoch, partitions=(partition,)))
            await asyncio.sleep(0.05)
            tell = node._unsettled
            assert tell is not None
            found.append(tell()["copies under way"])
            if not cancelled:
                server._puller._tasks.clear()
        return found

    with reserved(2) as ports:
        assert asyncio.run(scene((ports[0], ports[1]))) == [0, 1, 0 if cancelled else 1]


@pytest.mark.parametrize("asked", ["n1", "n2"])
@pytest.mark.parametrize("many", [False, True])
def test_two_nodes_that_refer_a_client_to_each_other_agree_about_the_map(tmp_path: Path, asked: str, many: bool) -> None:
    """The coordinator died when it had told only n1 that n2 answers from now on."""
    first = first_map("range", [Member("n1"), Member("n2")], 2, 1, [])
    [before] = first.partitions
    assert before.owners[0] == "n1"
    after = msgspec.structs.replace(before, epoch=2, owners=("n2", "n1"))
    handed_on = msgspec.structs.replace(first, epoch=2, partitions=(after,))

    async def scene(ports: Mapping[str, int]) -> Response:
        servers = dict[str, Server]()
        async with asyncio.timeout(20), AsyncExitStack() as listening:
            for name, port in ports.items():
                peers = {other: (HOST, at) for other, at in ports.items() if other != name}
                spec = NodeSpec(
                    name=name, start=0, host=HOST, port=port, data=str(tmp_path / name), log="", seed=1, peers=peers
                )
                servers[name] = server = Server(NodeContext(spec), Config())
                await server.open()
                await listening.enter_async_context(closing(listen(server.handle, (HOST, port))))
            await told(servers["n1"], handed_on)
            await told(servers["n2"], first, "n2")
            if many:
                response = await servers[asked].handle(Request("POST", MANY_PATH, body=msgspec.json.encode(GetMany(["k"]))))
                assert response.decode(GotMany).values == {}
            else:
                assert (await servers[asked].handle(Request("GET", f"{KEY_PATH}k"))).status == MISDIRECTED
            while (await servers["n2"].handle(Request("GET", MAP_PATH))).decode(PartitionMap) != handed_on:
                await asyncio.sleep(0.01)
            return await servers["n2"].handle(Request("GET", f"{KEY_PATH}k"))

    with reserved(2) as ports:
        assert asyncio.run(scene(dict(zip(("n1", "n2"), ports, strict=True)))).status == 200
