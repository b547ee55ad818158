"""Blackhole, CutPackets and RateLimit: what nodes of a running cluster on separate machines see of each other."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path

import pytest

from faults.blackhole import Blackhole
from faults.cut_packets import CutPackets
from faults.kill import Kill
from faults.latency import Latency
from faults.partition import Isolate
from faults.rate_limit import RateLimit
from harness.cluster.cluster import Cluster
from harness.http.client import HttpClient
from harness.model.drill import Drill
from harness.model.errors import FaultError, UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Fault
from harness.model.load import Load
from harness.model.system import Link, links_of
from harness.run.catalog import find_drill
from tests.helpers.echo import Echo, Numbers
from tests.helpers.engine import run_drill
from tests.helpers.machines import need_hosts

DEADLINE_S = 60.0
LOST, REFUSED = "504 TimedOut", "504 Unreachable"
"""What a node learns of a question on a connection that it has, and what it learns on a new one."""
WELL = "200 /asked"


@dataclass(frozen=True)
class Stage:
    """A cluster of three nodes on network namespaces of their own."""

    cluster: Cluster

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, folder: Path, *, namespaces: bool = True) -> AsyncIterator[Stage]:
        opened = Cluster.opened(Echo(replicas=3), folder, seed=1, plane="embedded", namespaces=namespaces)
        async with asyncio.timeout(DEADLINE_S), opened as cluster:
            yield cls(cluster)

    async def ask(self, name: str, path: str) -> str:
        """What a node answers the harness."""
        client = HttpClient(self.cluster.address(name))
        try:
            reply = await client.request("GET", path, timeout_s=DEADLINE_S)
        finally:
            client.close()
        return f"{reply.status} {reply.body.decode()}"

    async def said(self, source: str, target: str) -> str:
        """The outcome of a request from one node to another."""
        return await self.ask(source, f"/peer/{target}")


def targets(*names: str, label: str = "w0") -> Targets:
    links = tuple(link for link in links_of(Echo(replicas=3)) if {link.source, link.target} & set(names))
    return Targets(label=label, nodes=names, links=links)


async def during(stage: Stage, fault: Fault, hit: Targets, doing: Callable[[], Coroutine[object, object, None]]) -> Evidence:
    """The evidence of a window in which something is done; before that, each node gets a connection to each."""
    for source, target in itertools.permutations(stage.cluster.nodes, 2):
        assert await stage.said(source, target) == WELL
    injected = await fault.inject(stage.cluster, hit)
    try:
        await doing()
    finally:
        seen = await fault.heal(stage.cluster, hit, injected)
    return seen


def on_machines(folder: Path, play: Callable[[Stage], Coroutine[object, object, None]]) -> None:
    need_hosts()

    async def run() -> None:
        async with Stage.opened(folder) as stage:
            await play(stage)

    asyncio.run(run())


def test_a_blackhole_loses_what_a_dead_node_refuses(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        async def look() -> None:
            assert await stage.said("n2", "n1") == LOST
            assert await stage.said("n1", "n3") == LOST
            assert await stage.said("n2", "n3") == WELL

        seen = await during(stage, Blackhole("n1"), targets("n1"), look)
        assert seen.acted
        assert " from n1 to anyone " in seen.text
        assert " from anyone to n1 " in seen.text
        assert await stage.said("n2", "n1") == WELL
        await stage.cluster.processes.kill("n1", "w1")
        assert await stage.said("n2", "n1") in (REFUSED, "504 Broken")
        assert await stage.said("n2", "n1") == REFUSED

    on_machines(tmp_path, play)


@pytest.mark.slow
def test_a_node_that_is_killed_in_a_blackhole_comes_back_in_it(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        async def look() -> None:
            await stage.cluster.processes.kill("n1", "w1")
            assert await stage.cluster.processes.restart("n1", "w1") is not None
            assert await stage.said("n2", "n1") == LOST

        await during(stage, Blackhole("n1"), targets("n1"), look)
        assert await stage.said("n2", "n1") == WELL

    on_machines(tmp_path, play)


@pytest.mark.slow
def test_a_cut_is_between_the_sides_only(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        async def look() -> None:
            assert await stage.said("n1", "n3") == LOST
            assert await stage.said("n3", "n2") == LOST
            assert await stage.said("n1", "n2") == WELL

        seen = await during(stage, CutPackets("minority"), targets("n1", "n2"), look)
        assert seen.acted
        assert await stage.said("n1", "n3") == WELL

    on_machines(tmp_path, play)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("direction", "lost", "let"),
    [("out", "from n1 to n2 ", "from n2 to"), ("in", "from n2 to n1 ", "from n1 to")],
)
def test_a_cut_in_one_direction_loses_packets_of_that_one(tmp_path: Path, direction: str, lost: str, let: str) -> None:
    async def play(stage: Stage) -> None:
        async def look() -> None:
            assert await stage.said("n2", "n1") == LOST

        seen = await during(stage, CutPackets("n1", direction), targets("n1"), look)  # type: ignore[arg-type]
        assert seen.acted
        assert lost in seen.text
        assert let not in seen.text

    on_machines(tmp_path, play)


def test_a_link_is_cut_alone(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        async def look() -> None:
            assert await stage.said("n1", "n2") == LOST
            assert await stage.said("n1", "n3") == WELL

        hit = Targets(label="w0", nodes=(), links=(Link(source="n1", target="n2"),))
        assert (await during(stage, CutPackets("n1>n2"), hit, look)).acted

    on_machines(tmp_path, play)


@pytest.mark.slow
def test_the_link_of_clients_is_cut_alone(tmp_path: Path) -> None:
    need_hosts()
    drill = Drill(
        system=Echo(replicas=2), workload=Numbers(), namespaces=True,
        load=Load(rate=40, seconds=2, clients=20, timeout_ms=300),
        faults=[CutPackets("client>n1", "out").between(0.5, 1.5)],
    )  # fmt: skip
    done = run_drill(drill, tmp_path)
    [window] = done.history.windows.itertuples()
    assert window.acted
    assert "from client to n1" in str(window.evidence)


def test_a_rate_limit_makes_packets_wait(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        async def look() -> None:
            for _ in range(10):
                assert await stage.ask("n1", "/" + "x" * 3000) == "200 /" + "x" * 3000

        seen = await during(stage, RateLimit("n1", kbit_per_s=400), targets("n1"), look)
        assert seen.acted, seen.text
        assert seen.text.startswith("n1 at 400 kbit/s sent ")
        assert stage.cluster.packets.shaping("n1") == {}

    on_machines(tmp_path, play)


@pytest.mark.slow
@pytest.mark.parametrize("fault", [Blackhole("n1"), CutPackets("n1"), RateLimit("n1")])
def test_a_window_in_which_nothing_is_sent_did_not_act(tmp_path: Path, fault: Fault) -> None:
    async def play(stage: Stage) -> None:
        seen = await fault.heal(stage.cluster, targets("n1"), await fault.inject(stage.cluster, targets("n1")))
        assert seen.acted is False
        again = await fault.heal(stage.cluster, targets("n1"), seen)
        assert again.acted is False

    on_machines(tmp_path, play)


def test_without_machines_a_fault_on_packets_cannot_act(tmp_path: Path) -> None:
    async def run() -> None:
        async with Stage.opened(tmp_path, namespaces=False) as stage:
            with pytest.raises(FaultError, match=r"the nodes share one network\. Give"):
                await Blackhole("n1").inject(stage.cluster, targets("n1"))

    asyncio.run(run())


@pytest.mark.parametrize("fault", [Blackhole("one"), CutPackets("one"), RateLimit("one"), CutPackets("n1>n2")])
def test_a_drill_without_machines_refuses_faults_on_packets(fault: Fault) -> None:
    with pytest.raises(UsageError, match=rf"^{type(fault).__name__} acts on packets\. Give .* namespaces=True"):
        Drill(system=Echo(replicas=3), workload=Numbers(), load=Load(rate=1, seconds=2), faults=[fault.between(0, 1)])


@pytest.mark.parametrize("fault", [Latency("one", delay_ms=5), Isolate("one")])
def test_a_drill_on_machines_refuses_faults_on_proxies(fault: Fault) -> None:
    with pytest.raises(
        UsageError, match=rf"^{type(fault).__name__} acts on proxies, .* Use Blackhole, CutPackets or RateLimit"
    ):
        Drill(
            system=Echo(replicas=3),
            workload=Numbers(),
            load=Load(rate=1, seconds=2),
            faults=[fault.between(0, 1)],
            namespaces=True,
        )


def test_absurd_attributes_are_refused() -> None:
    with pytest.raises(UsageError, match=r"RateLimit\(kbit_per_s=0\): must be from 8 to 10,000,000"):
        RateLimit("one", kbit_per_s=0)
    with pytest.raises(UsageError, match=r"RateLimit\(kbit_per_s=nan\)"):
        RateLimit("one", kbit_per_s=float("nan"))
    with pytest.raises(UsageError, match=r"CutPackets\(direction='up'\)"):
        CutPackets("one", "up")  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_whole_drill_on_machines(tmp_path: Path) -> None:
    need_hosts()
    drill = Drill(
        system=Echo(replicas=3), workload=Numbers(), namespaces=True,
        load=Load(rate=60, seconds=3, clients=30, timeout_ms=300),
        faults=[Blackhole("n1").between(0.5, 1.5), Kill("n2").between(0.7, 1.2), RateLimit("n3", 16).between(0, 2.5)],
    )  # fmt: skip
    done = run_drill(drill, tmp_path)
    acted = {str(window.fault).partition("(")[0]: window.acted for window in done.history.windows.itertuples()}
    assert acted == {"Blackhole": True, "Kill": True, "RateLimit": True}
    fates = set(done.history.ops["outcome"])
    assert fates == {"ok", "failed", "unknown"}, "answered; refused by the dead node; swallowed by the blackhole"


@pytest.mark.nightly
@pytest.mark.parametrize(("bug", "right"), [("null", True), ("read-one", False)])
def test_an_unheard_machine_tells_a_wrong_store_from_a_right_one(tmp_path: Path, bug: str, right: bool) -> None:
    need_hosts()
    drill = find_drill("machines/one_way", [f"system.bug={bug}"]).drill
    checks = {check.name: check.valid for check in run_drill(drill, tmp_path).result.checks}
    assert checks["linearizable"] is right
    assert checks["faults_acted"]
