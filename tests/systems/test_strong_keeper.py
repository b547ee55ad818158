"""Only replicas of the same cluster may use the keepers of a strong store's configuration."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from harness.cluster.ports import HOST, reserved
from harness.http.client import HttpClient
from harness.http.message import Request, Response
from harness.http.server import listen
from harness.model.system import Address
from harness.node.context import NodeContext, NodeSpec
from systems.parts import sealing
from systems.raft import Raft
from systems.raft import node as raft_node
from systems.raft.messages import Got
from systems.strong.keeper import KeeperUnreachable, RaftKeeper, keepers_of
from systems.strong.messages import Configuration
from tests.helpers.closing import closing
from tests.helpers.effort import left_to_ci

T = TypeVar("T")
SLOW_S = 0.3
"""Longer than a replica waits for a keeper at first."""

FIRST, SECOND = (Configuration(version, version, "n1", ("n1",)) for version in (1, 2))


def with_keeper(folder: Path, scenario: Callable[[Address], Awaitable[None]]) -> None:
    """Run a scenario against the only keeper of the cluster "c"."""

    async def run(port: int) -> None:
        address: Address = (HOST, port)
        group = Raft(replicas=1, cluster=keepers_of("c"), election_ms=150)
        config = {**group.nodes()[0].config, "members": ("k1",)}
        spec = NodeSpec(name="k1", start=0, host=HOST, port=port, data=str(folder), log="", seed=1, peers={}, config=config)
        running = asyncio.create_task(raft_node.main(NodeContext(spec)))
        try:
            async with asyncio.timeout(60):
                await group.leader({"k1": address})
                await scenario(address)
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running

    with reserved(1) as (port,):
        asyncio.run(run(port))


async def answered(ask: Callable[[], Awaitable[T]]) -> T:
    """The answer, as soon as there is one: a busy machine may be late."""
    while True:
        with contextlib.suppress(KeeperUnreachable):
            return await ask()


async def refused(ask: Callable[[], Awaitable[object]], told: str) -> None:
    """Wait until the keeper has said this; it must never answer."""
    while True:
        with pytest.raises(KeeperUnreachable) as error:
            await ask()
        if told in str(error.value):
            return


@pytest.mark.slow
def test_keepers_that_answer_slowly_are_given_more_time() -> None:
    async def answer(request: Request) -> Response:
        await asyncio.sleep(SLOW_S)
        return await sealing.answered(request, read)

    async def read(request: Request) -> Response:
        return Response.json(Got(value=None))

    async def run() -> None:
        async with asyncio.timeout(60), closing(listen(answer, (HOST, 0))) as server:
            assert await answered(RaftKeeper("c", {"k1": server.sockets[0].getsockname()[:2]}).read) is None

    asyncio.run(run())


async def _own(address: Address) -> None:
    keeper = RaftKeeper("c", {"k1": address})
    assert await answered(keeper.read) is None
    await answered(lambda: keeper.replace(None, FIRST))
    assert not await answered(lambda: keeper.replace(None, SECOND))
    assert await answered(keeper.read) == FIRST


async def _other_cluster(address: Address) -> None:
    keeper = RaftKeeper("other", {"k1": address})
    told = "k1: this is k1 of cluster 'c/keepers', and the question is for k1 of cluster 'other/keepers'"
    await refused(keeper.read, told)
    await refused(lambda: keeper.replace(None, FIRST), told)
    assert await answered(RaftKeeper("c", {"k1": address}).read) is None


async def _other_name(address: Address) -> None:
    keeper = RaftKeeper("c", {"k2": address})
    await refused(lambda: keeper.replace(None, FIRST), "this is k1 of cluster 'c/keepers', and the question is for k2 of")


async def _client(address: Address) -> None:
    """Clients of the keepers' store need not say whom they mean; if they do, they are held to it."""
    client = HttpClient(address)
    assert (await client.request("GET", "/kv/k", timeout_s=20)).status == 200
    for header in (("cluster", "other"), ("node", "k1")):
        assert (await client.request("GET", "/kv/k", timeout_s=20, headers=(header,))).status == 421
    client.close()


@pytest.mark.parametrize("scenario", [_own, *map(left_to_ci, (_other_cluster, _other_name, _client))])
def test_keepers_answer_the_replicas_of_their_own_cluster_alone(
    tmp_path: Path, scenario: Callable[[Address], Awaitable[None]]
) -> None:
    with_keeper(tmp_path, scenario)
