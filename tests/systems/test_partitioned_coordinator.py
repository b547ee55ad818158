"""What the coordinator of the partitioned store decides, on real connections inside this process."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from harness.cluster.ports import HOST
from harness.http.message import Request, Response
from harness.http.server import listen
from harness.node.context import NodeContext, NodeSpec
from systems.partitioned import Partitioned
from systems.partitioned import coordinator as module
from systems.partitioned.coordinator import Config, Coordinator
from systems.partitioned.messages import BEAT_PATH, HOT_PATH, MAP_PATH, MEMBERS_PATH, Beat, Change, Hot, Status
from systems.partitioned.partition_map import PartitionMap
from systems.partitioned.peer import answer, read
from systems.parts.partitioning.members import Member
from tests.helpers.closing import closing

NAMES = ("n1", "n2", "n3", "n4")


def coordinator_in(folder: Path, config: Config, port: int = 1) -> Coordinator:
    """One whose nodes all listen on this port."""
    peers = dict.fromkeys(NAMES, (HOST, port))
    return Coordinator(
        NodeContext(NodeSpec(name="coordinator", start=0, host=HOST, port=1, data=str(folder), log="", seed=1, peers=peers)),
        config,
    )


async def map_of(coordinator: Coordinator) -> PartitionMap:
    return (await coordinator.handle(Request("GET", MAP_PATH))).decode(PartitionMap)


async def changed(coordinator: Coordinator, change: Change) -> None:
    response = await coordinator.handle(Request("POST", MEMBERS_PATH, body=msgspec.json.encode(change)))
    assert response.status == 200


async def once_cut(
    folder: Path, members: Sequence[Member], meanwhile: Callable[[Coordinator], Awaitable[None]]
) -> PartitionMap:
    """The map after a hot range was cut; something happens while its owner is asked for its keys."""
    loads, copied = Counter[str](), set[tuple[str, int]]()

    async def node(request: Request) -> Response:
        if request.path == HOT_PATH:
            await meanwhile(coordinator)
            return Response.json(Hot(dict.fromkeys("abcd", 10)))
        assert request.path == BEAT_PATH
        beat, first = read(request, Beat), request.headers["node"] == "n1"
        loads[""] += 1000 * first
        copied.update((one.low, one.move) for one in (beat.map.moving if beat.map else ()))
        return answer(Status(epoch=beat.epoch, copied=sorted(copied), loads=dict(loads) if first else {}))

    async with closing(listen(node, (HOST, 0))) as server:
        config = Config(method="range", members=list(members), replicas=2, balance=True)
        coordinator = coordinator_in(folder, config, server.sockets[0].getsockname()[1])
        keeping = asyncio.create_task(coordinator.keep())
        async with asyncio.timeout(20):
            while len((now := await map_of(coordinator)).partitions) < 2:
                await asyncio.sleep(0.01)
        keeping.cancel()
        return now


async def nothing(_: Coordinator) -> None:
    """Nothing happens."""


def test_a_range_that_is_cut_is_not_placed_with_a_node_that_leaves_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BALANCE_S", 0.0)

    async def n2_leaves(coordinator: Coordinator) -> None:
        if "n2" in (await map_of(coordinator)).names:
            await changed(coordinator, Change(leave="n2"))

    now = asyncio.run(once_cut(tmp_path, [Member(name) for name in NAMES], n2_leaves))
    assert now.names == ("n1", "n3", "n4")
    assert [set(one.placed) - set(now.names) for one in now.partitions] == [set(), set()]


def test_the_replicas_of_a_range_that_is_cut_are_in_different_zones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BALANCE_S", 0.0)
    zones = {"n1": "z1", "n2": "z2", "n3": "z2", "n4": "z1"}
    now = asyncio.run(once_cut(tmp_path, [Member(name, 1.0, zone) for name, zone in zones.items()], nothing))
    assert now.partitions[1].placed[0] == "n3"  # it has no load
    assert [sorted(zones[name] for name in one.placed) for one in now.partitions] == [["z1", "z2"]] * 2


def test_no_load_moves_to_a_node_that_says_nothing_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its clients may well reach it, and if it is down, it should get nothing."""
    monkeypatch.setattr(module, "BALANCE_S", 0.0)
    served = Counter[str]()

    async def scene() -> tuple[PartitionMap, PartitionMap]:
        enough = asyncio.Event()

        async def node(request: Request) -> Response:
            name = request.headers["node"]
            if name == "n3":
                return Response(500)
            for one in first.partitions:
                served[one.low] += 100 * (one.owners[0] == name)
            if served[""] == 2000:
                enough.set()
            mine = {one.low: served[one.low] for one in first.partitions if one.owners[0] == name}
            return answer(Status(epoch=read(request, Beat).epoch, loads=mine))

        async with closing(listen(node, (HOST, 0))) as server, asyncio.timeout(20):
            members = [Member("n1"), Member("n2"), Member("n3")]
            config = Config(method="range", members=members, boundaries=list("bcdef"), balance=True)
            coordinator = coordinator_in(tmp_path, config, server.sockets[0].getsockname()[1])
            first = await map_of(coordinator)
            keeping = asyncio.create_task(coordinator.keep())
            await enough.wait()
            keeping.cancel()
            return first, await map_of(coordinator)

    first, now = asyncio.run(scene())
    assert [one.placed for one in now.partitions] == [one.placed for one in first.partitions]


@pytest.mark.parametrize(("change", "members"), [("join", ["n1", "n2", "n3"]), ("leave", ["n2"])])
def test_a_change_of_members_whose_first_answer_is_lost_has_acted(tmp_path: Path, change: str, members: list[str]) -> None:
    node, lost = "n3" if change == "join" else "n1", list[bytes]()

    async def scene() -> tuple[str | None, Sequence[str]]:
        coordinator = coordinator_in(tmp_path, Config(method="consistent", members=[Member("n1"), Member("n2")]))

        async def answered(request: Request) -> Response:
            response = await coordinator.handle(request)
            if not lost:
                lost.append(response.body)
                await asyncio.get_running_loop().create_future()
            return response

        async with closing(listen(answered, (HOST, 0))) as server:
            addresses = {"coordinator": server.sockets[0].getsockname()[:2]}
            return await getattr(Partitioned(), change)(node, addresses), (await map_of(coordinator)).names

    why, names = asyncio.run(scene())
    assert (why, list(names)) == (None, members)
