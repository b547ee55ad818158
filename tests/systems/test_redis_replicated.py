"""Redis with a replica: what its client reports about a write, and a failover that leaves one master."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from faults.failover import Failover
from faults.partition import Partition
from harness.cluster.cluster import Cluster
from harness.model.drill import Drill
from harness.model.errors import UsageError
from harness.model.evidence import Targets
from harness.model.fault import Fault
from harness.model.load import Load
from harness.model.system import Answer, Call, CallFailed, HasFailover, HasLeader, Link, System, links_of
from harness.node.context import NodeSpec
from systems.foreign import redis_start
from systems.foreign.redis import Redis
from systems.foreign.redis_replicated import NotReplicated, ReplicatedRedis
from tests.helpers.echo import Echo
from workloads.registers import Registers

needs_redis = pytest.mark.skipif(Redis().missing() is not None, reason=str(Redis().missing()))

DEADLINE_S = 60.0
READ = Call("read", "k")


def write(value: str) -> Call:
    return Call("write", "k", value)


def targets(cluster: Cluster, *nodes: str, label: str = "w0", link: str = "n2>n1") -> Targets:
    links = () if nodes else (next(one for one in links_of(cluster.system) if one.name == link),)
    return Targets(label=label, nodes=nodes, links=links)


def with_servers(folder: Path, system: ReplicatedRedis, scenario: Callable[[Cluster], Awaitable[None]]) -> None:
    async def scene() -> None:
        async with asyncio.timeout(DEADLINE_S), Cluster.opened(system, folder, seed=1, plane="embedded") as cluster:
            await scenario(cluster)

    asyncio.run(scene())


async def asking(cluster: Cluster, call: Call) -> Answer:
    """The answer to a new client, which switches to the other server while calls fail."""
    client = cluster.system.client(0, cluster.links.entries)
    try:
        while True:
            try:
                return await client.invoke(call)
            except CallFailed:
                await asyncio.sleep(0.01)
    finally:
        await client.close()


def test_it_is_a_system_with_a_failover() -> None:
    for protocol in (System, HasFailover, HasLeader):
        assert isinstance(ReplicatedRedis(), protocol)
    assert Link(source="n2", target="n1") in links_of(ReplicatedRedis())
    with pytest.raises(UsageError, match="wait_ms=-1"):
        ReplicatedRedis(wait_ms=-1)


@pytest.mark.slow
@needs_redis
def test_after_a_failover_the_old_master_follows_and_what_it_alone_had_is_gone(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        system, failover, cut = ReplicatedRedis(), Failover("n2"), Partition("n2>n1")
        while not await _has_replica(cluster):
            await asyncio.sleep(0.01)
        link, node = targets(cluster), targets(cluster, "n2", label="w1")
        parted = await cut.inject(cluster, link)
        await asking(cluster, write("alone"))
        injected = await failover.inject(cluster, node)
        assert injected.acted
        assert await system.leads(cluster.address("n1"))
        assert await system.leads(cluster.address("n2"))
        assert (await failover.inject(cluster, targets(cluster, "n1", label="w2"))).acted is False
        await cut.heal(cluster, link, parted)
        healed = await failover.heal(cluster, node, injected)
        assert healed.acted, healed
        assert "n1 started again" in healed.text
        gone = ("127.0.0.1", 1)
        assert await system.leader({"n1": cluster.address("n1"), "n2": cluster.address("n2"), "n3": gone}) == "n2"
        with pytest.raises(ConnectionError, match="no server says"):
            await system.leader({"n1": cluster.address("n1"), "n3": gone})
        assert await asking(cluster, READ) == Answer("before", "n2")

    with_servers(tmp_path, ReplicatedRedis(), scenario)


@pytest.mark.slow
@needs_redis
def test_a_write_that_no_replica_has_is_unknown_and_is_there(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        while not await _has_replica(cluster):
            await asyncio.sleep(0.01)
        assert await asking(cluster, write("1")) == Answer(None, "n1")
        parted = await Partition("n2>n1").inject(cluster, targets(cluster))
        with pytest.raises(NotReplicated, match="no replica within"):
            await asking(cluster, write("2"))
        assert await asking(cluster, READ) == Answer("2", "n1")
        await Partition("n2>n1").heal(cluster, targets(cluster), parted)

    with_servers(tmp_path, ReplicatedRedis(wait_ms=500), scenario)


async def _has_replica(cluster: Cluster) -> bool:
    client = ReplicatedRedis(wait_ms=100).client(0, cluster.links.entries)
    try:
        await client.invoke(write("before"))
    except NotReplicated:
        return False
    finally:
        await client.close()
    await asking(cluster, Call("write", "k", "before"))
    return True


def spec(folder: Path, name: str, start: int) -> NodeSpec:
    other = {"n1": "n2", "n2": "n1"}[name]
    return NodeSpec(
        name=name, start=start, host="127.0.0.1", port=1, seed=0, data=str(folder), log="", command=("redis-server",),
        peers={other: ("127.0.0.1", 7)},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "start", "peer_is_master", "before", "after"),
    [
        ("n1", 0, False, None, ""),
        ("n2", 0, False, None, "replicaof 127.0.0.1 7\n"),
        ("n1", 1, True, "port 5\n", "port 5\nreplicaof 127.0.0.1 7\n"),
        ("n1", 1, False, "port 5\n", "port 5\n"),
        ("n2", 1, False, "replicaof 127.0.0.1 7\n", "replicaof 127.0.0.1 7\n"),
        ("n2", 1, True, "replicaof 127.0.0.1 6\n", "replicaof 127.0.0.1 7\n"),
    ],
)
def test_a_server_follows_the_first_one_and_later_the_master(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    name: str, start: int, peer_is_master: bool, before: str | None, after: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(redis_start, "is_master", lambda address: peer_is_master)
    if before is not None:
        Path("redis.conf").write_text(before)
    assert redis_start.setup(spec(tmp_path, name, start)) == []
    assert Path("redis.conf").read_text() == after


@pytest.mark.parametrize(("fault", "system"), [(Failover("one"), ReplicatedRedis()), (Failover("n1"), Echo())])
def test_a_failover_needs_a_node_by_name_and_a_system_that_has_it(fault: Fault, system: System) -> None:
    with pytest.raises(UsageError, match="Failover"):
        Drill(system=system, workload=Registers(), load=Load(rate=1, seconds=3), faults=[fault.between(1, 2)])
