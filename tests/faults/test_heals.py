"""Every fault heals all its targets, not only the first one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from faults import failover, pause
from faults.failover import Failover
from faults.latency import Latency
from faults.majority_ring import MajorityRing
from faults.partition import Isolate
from faults.pause import Pause
from harness.cluster.cluster import Cluster
from harness.http.client import HttpClient
from harness.model.environment import Environment
from harness.model.errors import FaultError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Fault
from harness.run import catalog
from tests.helpers.echo import Echo

NODES = tuple(f"n{number}" for number in range(1, 6))  # with fewer, a ring of majorities is everyone
ON_LINKS = {name: kind for name, kind in catalog.fault_kinds().items() if kind.aims_at == "links" and not kind.on_packets}


class Proxy(msgspec.Struct):
    """A proxy as the fault plane lists it."""

    toxics: list[dict[str, object]]


@dataclass(frozen=True)
class World:
    """A running cluster, shared by the tests of this file; every test leaves it whole."""

    runner: asyncio.Runner
    cluster: Cluster


async def afflicted(cluster: Cluster) -> set[str]:
    client = HttpClient(cluster.links.plane.address)
    try:
        listed = (await client.request("GET", "/proxies", timeout_s=10)).decode(dict[str, Proxy])
    finally:
        client.close()
    return {name for name, proxy in listed.items() if proxy.toxics}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("heals")
    with asyncio.Runner() as runner:
        opened = Cluster.opened(Echo(replicas=5), folder, seed=1, plane="embedded")
        yield World(runner, runner.run(opened.__aenter__()))
        runner.run(opened.__aexit__(None, None, None))


@pytest.mark.parametrize("kind", ON_LINKS.values(), ids=ON_LINKS.keys())
def test_no_link_keeps_anything_of_a_fault_that_is_healed(world: World, kind: type[Fault]) -> None:
    async def scenario() -> None:
        cluster = world.cluster
        nodes = NODES if kind is MajorityRing else NODES[:1]
        fault = kind("all" if nodes is NODES else "n1")
        targets = Targets(label="w0", nodes=nodes, links=tuple(cluster.links.all))
        injected = await fault.inject(cluster, targets)
        assert len(await afflicted(cluster)) > 1
        await fault.heal(cluster, targets, injected)
        assert await afflicted(cluster) == set()

    world.runner.run(scenario())


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, id=name, marks=() if kind in (Isolate, Latency, MajorityRing) else pytest.mark.slow)
        for name, kind in ON_LINKS.items()
    ],
)
def test_no_link_keeps_anything_of_a_fault_that_another_link_refuses(
    world: World, kind: type[Fault], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault plane is still busy with the others when the first one is refused."""

    async def scenario() -> None:
        cluster = world.cluster
        nodes = NODES if kind is MajorityRing else NODES[:1]
        fault = kind("all" if nodes is NODES else "n1")
        targets = Targets(label="w0", nodes=nodes, links=tuple(cluster.links.all))
        add_toxic, asked = cluster.links.add_toxic, list[asyncio.Task[object] | None]()

        async def add_slowly(*link_and_name: str, **toxic: Any) -> None:
            asked.append(asyncio.current_task())
            if len(asked) == 1:
                raise FaultError("refused")
            await asyncio.sleep(0.05)
            await add_toxic(*link_and_name, **toxic)

        with monkeypatch.context() as patch:
            patch.setattr(cluster.links, "add_toxic", add_slowly)
            with pytest.raises(FaultError, match="refused"):
                await fault.inject(cluster, targets)
        await fault.heal(cluster, targets, Evidence(acted=False, text=""))
        await asyncio.wait([task for task in asked if task is not None])
        assert len(asked) > 1
        assert await afflicted(cluster) == set()

    world.runner.run(scenario())


def test_a_node_that_does_not_go_on_keeps_no_other_one_stopped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(environment: Environment, name: str, *, stopped: bool) -> None:
        raise FaultError(f"{name} is stopped")

    async def scenario() -> None:
        cluster, targets = world.cluster, Targets(label="w0", nodes=("n1", "n2"), links=())
        injected = await Pause("n1 n2").inject(cluster, targets)
        monkeypatch.setattr(pause, "_until", refuse)
        with pytest.raises(FaultError, match="n1 is stopped"):
            await Pause("n1 n2").heal(cluster, targets, injected)
        for name in targets.nodes:
            assert await cluster.processes.answer_ms(name, 10) > 0

    world.runner.run(scenario())


def test_an_old_leader_that_dies_as_a_failover_ends_keeps_no_other_one_down(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def leads(environment: Environment, name: str) -> bool:
        return name in ("n2", "n3", "n4")

    async def scenario() -> None:
        cluster, targets = world.cluster, Targets(label="w0", nodes=("n1",), links=())
        kill, before = cluster.processes.kill, {name: cluster.processes.pid(name) for name in NODES}

        async def kill_unless_dead(name: str, label: str) -> int:
            if name == "n3":
                raise FaultError(f"{name} does not run")
            return await kill(name, label)

        monkeypatch.setattr(failover, "_leads", leads)
        monkeypatch.setattr(cluster.processes, "kill", kill_unless_dead)
        with pytest.raises(FaultError, match="n3 does not run"):
            await Failover("n1").heal(cluster, targets, Evidence(acted=True, text=""))
        assert {name for name in NODES if cluster.processes.pid(name) != before[name]} == {"n2", "n4"}

    world.runner.run(scenario())
