"""Kill, Pause, Latency, Isolate, Partition: their effects on real processes and bytes, on both fault planes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

import psutil
import pytest

from faults.kill import Kill
from faults.latency import Latency
from faults.partition import Isolate, Partition
from faults.pause import Pause
from harness.cluster.cluster import Cluster
from harness.cluster.fault_plane import PlaneKind
from harness.http.client import HttpClient
from harness.http.message import TransportError, Unreachable
from harness.model import selector
from harness.model.errors import FaultError, NodeDown
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Fault
from harness.model.system import Link
from tests.helpers.echo import Echo
from tests.helpers.effort import left_to_ci
from tests.helpers.real_toxiproxy import need_toxiproxy

Pair = tuple[str, str]


@dataclass(frozen=True)
class World:
    """A running cluster of three, shared by the tests of this file; every test leaves it whole."""

    runner: asyncio.Runner
    cluster: Cluster

    def run(self, scenario: Callable[[Cluster], Awaitable[None]]) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(60):
                await scenario(self.cluster)

        self.runner.run(bounded())


@pytest.fixture(scope="module", params=["embedded", left_to_ci("toxiproxy")])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    plane: PlaneKind = request.param
    with pytest.MonkeyPatch.context() as patch, asyncio.Runner() as runner:
        patch.delenv("TOXIPROXY_URL", raising=False)
        if plane == "toxiproxy":
            need_toxiproxy()
        opened = Cluster.opened(Echo(replicas=3), tmp_path_factory.mktemp(plane), seed=1, plane=plane)
        yield World(runner, runner.run(opened.__aenter__()))
        runner.run(opened.__aexit__(None, None, None))


_labels = iter(range(1000))


def targets(cluster: Cluster, *names: str) -> Targets:
    """Nodes, or one link, as a window's targets."""
    nodes = tuple(name for name in names if ">" not in name)
    links: Sequence[Link] = [link for link in cluster.links.all if link.name in names]
    if nodes:
        links = [link for link in cluster.links.all if link.source in nodes or link.target in nodes]
    return Targets(label=f"t{next(_labels)}", nodes=nodes, links=tuple(links))


async def ask(cluster: Cluster, node: str, path: str) -> bytes:
    """Ask a node on its own address, past the fault plane."""
    client = HttpClient(cluster.address(node))
    try:
        return (await client.request("GET", path, timeout_s=30)).body
    finally:
        client.close()


async def reached(cluster: Cluster, pairs: Sequence[Pair]) -> tuple[set[Pair], set[Pair]]:
    """Pairs (client, server): those whose request arrived, and those whose answer did as well."""
    arrived, answered = set(), set()
    for asker, asked in pairs:
        before = int(await ask(cluster, asked, "/count"))
        if await ask(cluster, asker, f"/peer/{asked}") == b"/asked":
            answered.add((asker, asked))
        if int(await ask(cluster, asked, "/count")) > before:
            arrived.add((asker, asked))
    return arrived, answered


async def clients_reach(cluster: Cluster) -> set[str]:
    """The nodes that answer on the clients' links."""
    found = set()
    for name, address in cluster.links.entries.items():
        client = HttpClient(address)
        try:
            await client.request("GET", "/x", timeout_s=0.3)
            found.add(name)
        except TransportError:
            pass
        finally:
            client.close()
    return found


ALL: list[Pair] = [(one, other) for one in ("n1", "n2", "n3") for other in ("n1", "n2", "n3") if one != other]
PAIRS = set(ALL)
OUT = {("n1", "n2"), ("n1", "n3")}
IN = {("n2", "n1"), ("n3", "n1")}
CUTS: dict[str, tuple[Fault, tuple[str, ...], set[Pair], set[Pair], set[str]]] = {
    # the fault, its targets; questions that do not arrive, answers that do not, nodes that clients lose
    "isolate a node": (Isolate("n1"), ("n1",), OUT | IN, OUT | IN, {"n1"}),
    "isolate a link": (Isolate("n1>n2"), ("n1>n2",), {("n1", "n2")}, {("n1", "n2")}, set()),
    "isolate a client's link": (Isolate("client>n2"), ("client>n2",), set(), set(), {"n2"}),
    "partition a node": (Partition("n1"), ("n1",), OUT | IN, OUT | IN, set()),
    "partition two from one": (Partition("majority"), ("n2", "n3"), OUT | IN, OUT | IN, set()),
    "what it sends": (Partition("n1", direction="out"), ("n1",), OUT, OUT | IN, set()),
    "what it is sent": (Partition("n1", direction="in"), ("n1",), IN, OUT | IN, set()),
    "one way over a link": (Partition("n1>n2", direction="out"), ("n1>n2",), {("n1", "n2")}, {("n1", "n2")}, set()),
    "the way back over a link": (Partition("n1>n2", direction="in"), ("n1>n2",), set(), {("n1", "n2")}, set()),
}
QUICK = ("isolate a node", "isolate a client's link", "the way back over a link")


@pytest.mark.parametrize("cut", [cut if cut in QUICK else left_to_ci(cut) for cut in CUTS])
def test_a_cut_stops_bytes_in_exactly_the_directions_that_were_chosen(world: World, cut: str) -> None:
    fault, names, unasked, unanswered, lost = CUTS[cut]

    async def scenario(cluster: Cluster) -> None:
        hit = targets(cluster, *names)
        injected = await fault.inject(cluster, hit)
        try:
            arrived, answered = await reached(cluster, ALL)
            clients = await clients_reach(cluster)
        finally:
            healed = await fault.heal(cluster, hit, injected)
        assert (PAIRS - arrived, PAIRS - answered, {"n1", "n2", "n3"} - clients) == (unasked, unanswered, lost)
        assert healed.acted is True
        assert "stopped" in healed.text
        assert await reached(cluster, ALL) == (PAIRS, PAIRS)
        assert await clients_reach(cluster) == {"n1", "n2", "n3"}

    world.run(scenario)


@pytest.mark.parametrize("fault", [Isolate("n1"), Partition("n1"), Partition("n1", direction="in")])
def test_a_cut_of_unused_links_has_not_acted(world: World, fault: Fault) -> None:
    async def scenario(cluster: Cluster) -> None:
        hit = targets(cluster, "n1")
        await clients_reach(cluster)  # traffic before does not count
        healed = await fault.heal(cluster, hit, await fault.inject(cluster, hit))
        assert healed.acted is False
        assert "no bytes were stopped" in healed.text

    world.run(scenario)


def test_a_cut_of_nothing_has_not_acted(world: World) -> None:
    async def scenario(cluster: Cluster) -> None:
        hit = Targets(label="none", nodes=("n1",), links=())
        healed = await Isolate("n1").heal(cluster, hit, await Isolate("n1").inject(cluster, hit))
        assert (healed.acted, healed.text) == (False, "the target has no links to cut")

    world.run(scenario)


@pytest.mark.parametrize(("delay_ms", "jitter_ms"), [(30, 0), (60, 20), left_to_ci(1100, 0)])
def test_latency_delays_the_targets_links_by_what_was_asked(world: World, delay_ms: float, jitter_ms: float) -> None:
    async def scenario(cluster: Cluster) -> None:
        fault, hit = Latency("n1>n2", delay_ms=delay_ms, jitter_ms=jitter_ms), targets(cluster, "n1>n2")
        other = next(link for link in cluster.links.all if link.name == "n2>n1")
        injected = await fault.inject(cluster, hit)
        try:
            slow_ms = [await cluster.links.round_trip_ms(hit.links[0], 10) for _ in range(2)]
            fast_ms = min([await cluster.links.round_trip_ms(other, 10) for _ in range(5)])
        finally:
            healed = await fault.heal(cluster, hit, injected)
        assert min(slow_ms) >= delay_ms - jitter_ms
        assert fast_ms < delay_ms - jitter_ms
        assert min([await cluster.links.round_trip_ms(hit.links[0], 10) for _ in range(5)]) < delay_ms - jitter_ms
        assert healed.acted is True
        assert "n1>n2" in healed.text

    world.run(scenario)


def test_latency_that_cannot_be_seen_has_not_acted(world: World) -> None:
    async def scenario(cluster: Cluster) -> None:
        fault, hit = Latency("n1", delay_ms=20), targets(cluster, "n1")
        await cluster.processes.kill("n1", "elsewhere")
        try:
            alone = Targets(label="alone", nodes=("n1",), links=tuple(link for link in hit.links if link.target == "n1"))
            healed = await fault.heal(cluster, alone, await fault.inject(cluster, alone))
        finally:
            await cluster.processes.restart("n1", "elsewhere")
        assert (healed.acted, healed.text) == (False, "no target answered, so no delay could be measured")

    world.run(scenario)


def test_kill_ends_the_process_and_healing_starts_another(world: World) -> None:
    async def scenario(cluster: Cluster) -> None:
        hit, pids = targets(cluster, "n1", "n2"), {name: cluster.processes.pid(name) for name in ("n1", "n2")}
        injected = await Kill("majority").inject(cluster, hit)
        try:
            assert not any(psutil.pid_exists(pid) for pid in pids.values())
            for name in pids:
                with pytest.raises(Unreachable):
                    await ask(cluster, name, "/x")
                with pytest.raises(FaultError, match=f"{name} does not run"):
                    cluster.processes.pid(name)
        finally:
            healed = await Kill("majority").heal(cluster, hit, injected)
        assert healed.acted is True
        assert "SIGKILL" in healed.text
        assert all(cluster.processes.pid(name) != pid for name, pid in pids.items())
        assert await reached(cluster, ALL) == (PAIRS, PAIRS)

    world.run(scenario)


def test_pause_stops_the_process_and_healing_lets_it_go_on(world: World) -> None:
    async def scenario(cluster: Cluster) -> None:
        hit = targets(cluster, "n1", "n3")
        before = cluster.processes.pid("n1")
        injected = await Pause("majority").inject(cluster, hit)
        try:
            assert cluster.processes.state("n1") == cluster.processes.state("n3") == "stopped"
            assert await clients_reach(cluster) == {"n2"}
        finally:
            healed = await Pause("majority").heal(cluster, hit, injected)
        assert healed.acted is True
        assert cluster.processes.pid("n1") == before
        assert await reached(cluster, ALL) == (PAIRS, PAIRS)

    world.run(scenario)


FAULTS: list[Fault] = [Kill("n1"), Pause("n1"), Latency("n1"), Isolate("n1"), Partition("n1")]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_healing_what_was_never_injected_does_no_harm_and_shows_nothing(world: World, fault: Fault) -> None:
    async def scenario(cluster: Cluster) -> None:
        pids = [cluster.processes.pid(name) for name in cluster.nodes]
        healed = await fault.heal(cluster, targets(cluster, "n1"), Evidence(acted=False, text="it failed"))
        assert not healed.acted
        assert [cluster.processes.pid(name) for name in cluster.nodes] == pids
        assert await reached(cluster, ALL) == (PAIRS, PAIRS)

    world.run(scenario)


@pytest.mark.parametrize("fault", [Kill("all"), Pause("all")], ids=["Kill", "Pause"])
def test_a_fault_on_a_node_that_is_down_says_so_and_heals_the_others(world: World, fault: Fault) -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.processes.kill("n2", "elsewhere")
        hit = targets(cluster, "n1", "n2", "n3")
        with pytest.raises(FaultError, match="n2 does not run"):
            await fault.inject(cluster, hit)
        await fault.heal(cluster, hit, Evidence(acted=False, text=""))
        assert not cluster.processes.runs("n2")  # another window holds it
        await cluster.processes.restart("n2", "elsewhere")
        assert await reached(cluster, ALL) == (PAIRS, PAIRS)

    world.run(scenario)


def test_every_fault_has_a_target_that_the_selectors_know(world: World) -> None:
    for fault in FAULTS:
        nodes = list(world.cluster.nodes.values())
        selector.check(fault.target, nodes, world.cluster.links.all, links_allowed=fault.aims_at == "links", has_leader=False)


def test_starting_what_runs_already_is_not_asked_of_the_cluster_by_healing_twice(world: World) -> None:
    async def scenario(cluster: Cluster) -> None:
        hit = targets(cluster, "n1")
        injected = await Kill("n1").inject(cluster, hit)
        await asyncio.gather(*(Kill("n1").heal(cluster, hit, injected) for _ in range(3)))
        assert await ask(cluster, "n1", "/x") == b"/x"
        with pytest.raises((NodeDown, FaultError)):
            await cluster.processes.kill("no such node", "w")

    world.run(scenario)
