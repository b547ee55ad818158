"""PostgreSQL: the exact fate of a commit, a standby that is a copy, and which server is the primary."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from faults.failover import Failover
from faults.partition import Partition
from harness.cluster.cluster import Cluster
from harness.model.evidence import Targets
from harness.model.system import Answer, Call, CallFailed, HasFailover, HasLeader, HasProbe, System, links_of
from systems.foreign.postgresql import Postgresql, programs
from systems.foreign.postgresql.client import PostgresqlClient, asked

DEADLINE_S = 120.0
READ = Call("read", "k")


def with_servers(folder: Path, system: Postgresql, scenario: Callable[[Cluster], Awaitable[None]]) -> None:
    if missing := system.missing():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(missing)

    async def scene() -> None:
        async with asyncio.timeout(DEADLINE_S), Cluster.opened(system, folder, seed=1, plane="embedded") as cluster:
            await scenario(cluster)

    asyncio.run(scene())


def test_it_is_a_system_with_a_failover() -> None:
    for protocol in (System, HasProbe, HasFailover, HasLeader):
        assert isinstance(Postgresql(), protocol)


def test_a_commit_waits_for_the_standby_only_if_it_is_to() -> None:
    for synchronous, names in ((True, "*"), (False, "")):
        for node in Postgresql(synchronous=synchronous).nodes():
            assert f"--synchronous_standby_names={names}" in node.command
            assert "--listen_addresses={host}" in node.command


def test_without_the_server_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "folder", lambda: None)
    assert str(Postgresql().missing()).endswith("apt install postgresql")


def test_calls_that_it_does_not_know_have_failed() -> None:
    with pytest.raises(CallFailed, match="takes reads, and writes"):
        asyncio.run(PostgresqlClient([("n1", ("127.0.0.1", 1))]).invoke(Call("predict", "k")))


def test_a_call_that_found_no_server_has_failed() -> None:
    with pytest.raises(CallFailed, match=r"n1: .*[Cc]onnect"):
        asyncio.run(PostgresqlClient([("n1", ("127.0.0.1", 1))]).invoke(READ))


@pytest.mark.slow
def test_a_server_that_is_killed_leaves_nothing_in_the_machines_memory(tmp_path: Path) -> None:
    """Shared memory with a name outlives processes that are killed, as all are in the end. A file goes with its folder."""

    async def scenario(cluster: Cluster) -> None:
        for name in ("n1", "n2"):
            maps = psutil.Process(cluster.processes.pid(name)).memory_maps(grouped=False)
            shared = [part.path for part in maps if "/PostgreSQL." in part.path or "pg_dynshmem" in part.path]
            assert shared
            assert all(Path(path).is_relative_to(tmp_path) for path in shared)

    with_servers(tmp_path, Postgresql(), scenario)


@pytest.mark.slow
def test_a_commit_that_no_standby_has_is_unknown_and_not_seen_and_a_failover_undoes_it(tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        system, one, other = cluster.system, *(cluster.system.client(index, cluster.links.entries) for index in range(2))
        assert isinstance(system, Postgresql)
        addresses = {name: cluster.address(name) for name in ("n1", "n2")}
        assert await one.invoke(Call("write", "k", "before")) == Answer(None, "n1")
        [link] = [link for link in links_of(system) if link.name == "n2>n1"]
        cut, parted = Partition("n2>n1"), Targets(label="w0", nodes=(), links=(link,))
        stopped = await cut.inject(cluster, parted)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await one.invoke(Call("write", "k", "alone"))
        assert await other.invoke(READ) == Answer("before", "n1")
        assert await asked(addresses["n1"], "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == 1
        failover, promoted = Failover("n2"), Targets(label="w1", nodes=("n2",), links=())
        injected = await failover.inject(cluster, promoted)
        assert await system.leader(addresses | {"n3": ("127.0.0.1", 1)}) == "n2"
        await cut.heal(cluster, parted, stopped)
        healed = await failover.heal(cluster, promoted, injected)
        assert healed.acted, healed
        assert not await system.leads(addresses["n1"])
        assert await asked(addresses["n1"], "SELECT value FROM registers") == "before"
        for client in (one, other):
            await client.close()

    with_servers(tmp_path, Postgresql(), scenario)
