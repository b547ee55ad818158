"""The faults made of toxics that Toxiproxy lacks: their effects on connections through the embedded fault plane."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from faults.corrupt_bytes import CorruptBytes
from faults.drop_connections import DropConnections
from faults.half_open import HalfOpen
from faults.heavy_tailed_latency import HeavyTailedLatency
from faults.shared_bandwidth import SharedBandwidth
from faults.silent_drop import SilentDrop
from faults.slow_connect import SlowConnect
from faults.stall import Stall
from harness.cluster.cluster import Cluster
from harness.cluster.fault_plane import PlaneKind
from harness.http.client import HttpClient
from harness.http.message import TimedOut, TransportError
from harness.model.errors import FaultError, UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Fault
from harness.model.system import CLIENT, Link
from tests.helpers.echo import Echo
from tests.helpers.real_toxiproxy import need_toxiproxy

Doing = Callable[[Cluster], Awaitable[None]]
SILENT_S = 0.3
"""What has not come by then was not sent; where it comes after all, a test fails."""

FAULTS: list[Fault] = [
    CorruptBytes("n1"),
    DropConnections("n1"),
    HalfOpen("n1"),
    HeavyTailedLatency("n1"),
    SharedBandwidth("n1"),
    SilentDrop("n1"),
    SlowConnect("n1"),
    Stall("n1"),
]


@dataclass(frozen=True)
class World:
    """A node that runs, shared by the tests of this file; every test leaves it whole."""

    runner: asyncio.Runner
    cluster: Cluster

    def during(self, fault: Fault, doing: Doing, before: Doing | None = None) -> Evidence:
        """The evidence of the fault on the clients' link to n1 at its end. Afterwards n1 answers again."""

        async def scenario() -> Evidence:
            async with asyncio.timeout(60):
                if before is not None:
                    await before(self.cluster)
                injected = await fault.inject(self.cluster, TARGETS)
                assert injected.acted is None
                try:
                    await doing(self.cluster)
                finally:
                    healed = await fault.heal(self.cluster, TARGETS, injected)
                assert await ask(HttpClient(self.cluster.links.entries["n1"]), "/healed") == b"/healed"
                return healed

        return self.runner.run(scenario())


TARGETS = Targets(label="w0", nodes=("n1",), links=(Link(source=CLIENT, target="n1"),))


@contextlib.contextmanager
def opened_world(folder: Path, plane: PlaneKind) -> Iterator[World]:
    with asyncio.Runner() as runner:
        opened = Cluster.opened(Echo(replicas=1), folder, seed=1, plane=plane)
        yield World(runner, runner.run(opened.__aenter__()))
        runner.run(opened.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with opened_world(tmp_path_factory.mktemp("embedded"), "embedded") as world:
        yield world


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    need_toxiproxy()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TOXIPROXY_URL", raising=False)
        with opened_world(tmp_path_factory.mktemp("toxiproxy"), "toxiproxy") as world:
            yield world


async def ask(client: HttpClient, path: str, timeout_s: float = 30) -> bytes:
    return (await client.request("GET", path, timeout_s=timeout_s)).body


async def took_s(doing: Awaitable[object]) -> float:
    begun_s = asyncio.get_running_loop().time()
    await doing
    return asyncio.get_running_loop().time() - begun_s


async def nothing(cluster: Cluster) -> None:
    """No bytes are sent."""


def number(evidence: Evidence) -> int:
    """What the evidence counts."""
    found = re.match(r"[\d,]+", evidence.text)
    assert found, evidence
    return int(found[0].replace(",", ""))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_without_traffic_nothing_has_acted(world: World, fault: Fault) -> None:
    evidence = world.during(fault, nothing)
    assert (evidence.acted, evidence.text[:3], evidence.text[-10:]) == (False, "no ", "on 1 links")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_healing_what_was_never_injected_does_no_harm(world: World, fault: Fault) -> None:
    healed = world.runner.run(fault.heal(world.cluster, TARGETS, Evidence(acted=None, text="")))
    assert healed.acted is False


def test_corrupt_bytes_changes_what_arrives(world: World) -> None:
    async def doing(cluster: Cluster) -> None:
        reader, writer = await asyncio.open_connection(*cluster.links.entries["n1"])
        writer.write(b"GET /same HTTP/1.1\r\ncontent-length: 0\r\n\r\n")
        first = await reader.readexactly(8)
        assert first != b"HTTP/1.1"
        assert all((got ^ sent).bit_count() == 1 for got, sent in zip(first, b"HTTP/1.1", strict=True))
        writer.close()

    evidence = world.during(CorruptBytes("n1", rate=1, stream="downstream"), doing)
    assert evidence.acted is True
    assert number(evidence) >= 8
    assert "bytes corrupted: client>n1" in evidence.text


def test_corrupt_bytes_of_one_stream_leaves_the_other(world: World) -> None:
    async def doing(cluster: Cluster) -> None:
        reader, writer = await asyncio.open_connection(*cluster.links.entries["n1"])
        writer.write(b"GET /same HTTP/1.1\r\ncontent-length: 0\r\n\r\n")
        answer = await reader.read(12)
        assert answer in (b"", b"HTTP/1.1 400")  # it cannot be read, and what is said of that arrives as it is
        writer.close()

    assert world.during(CorruptBytes("n1", rate=1, stream="upstream"), doing).acted is True


def test_silent_drop_swallows_requests_silently(world: World) -> None:
    async def doing(cluster: Cluster) -> None:
        with pytest.raises(TimedOut):
            await ask(HttpClient(cluster.links.entries["n1"]), "/lost", SILENT_S)

    evidence = world.during(SilentDrop("n1"), doing)
    assert evidence.acted is True
    assert number(evidence) >= len(b"GET /lost HTTP/1.1\r\n\r\n")


@pytest.mark.parametrize("fault", [HalfOpen("n1"), SilentDrop("n1")], ids=lambda fault: type(fault).__name__)
def test_the_death_of_the_peer_is_not_told_before_it_heals(world: World, fault: Fault) -> None:
    kept: list[asyncio.StreamReader] = []
    writers: list[asyncio.StreamWriter] = []

    async def connect(cluster: Cluster) -> None:
        reader, writer = await asyncio.open_connection(*cluster.links.entries["n1"])
        writer.write(b"GET /same HTTP/1.1\r\ncontent-length: 0\r\n\r\n")
        await reader.readuntil(b"/same")
        kept.append(reader)
        writers.append(writer)

    async def doing(cluster: Cluster) -> None:
        await cluster.processes.kill("n1", "w1")
        try:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(kept[0].read(), SILENT_S)
            if isinstance(fault, SilentDrop):
                writers[0].write(b"lost")  # for it to have lost something
                while not await cluster.links.toxic_hits():
                    await asyncio.sleep(0.005)
        finally:
            await cluster.processes.restart("n1", "w1")

    evidence = world.during(fault, doing, connect)
    assert evidence.acted is True
    assert world.runner.run(asyncio.wait_for(kept[0].read(), 30)) == b""
    writers[0].close()


def test_drop_connections_resets_new_ones_and_leaves_open_ones(world: World) -> None:
    open_ones: list[HttpClient] = []

    async def connect(cluster: Cluster) -> None:
        open_ones.append(HttpClient(cluster.links.entries["n1"]))
        await ask(open_ones[0], "/first")

    async def doing(cluster: Cluster) -> None:
        assert await ask(open_ones[0], "/open") == b"/open"
        for _ in range(3):
            with pytest.raises(TransportError):
                await ask(HttpClient(cluster.links.entries["n1"]), "/new")

    evidence = world.during(DropConnections("n1"), doing, connect)
    open_ones[0].close()
    assert (evidence.acted, number(evidence)) == (True, 3)


def test_drop_connections_of_a_share_resets_some(world: World) -> None:
    reached = []

    async def doing(cluster: Cluster) -> None:
        for _ in range(60):
            client = HttpClient(cluster.links.entries["n1"])
            try:
                reached.append(await ask(client, "/new"))
            except TransportError:
                pass
            finally:
                client.close()

    evidence = world.during(DropConnections("n1", share=0.5), doing)
    assert number(evidence) == 60 - len(reached)
    assert 10 < len(reached) < 50  # five deviations around 30


def test_slow_connect_delays_new_connections_alone(world: World) -> None:
    async def doing(cluster: Cluster) -> None:
        client = HttpClient(cluster.links.entries["n1"])
        assert await took_s(ask(client, "/new")) >= 0.15
        assert min([await took_s(ask(client, "/open")) for _ in range(5)]) < 0.15
        client.close()

    evidence = world.during(SlowConnect("n1", delay_ms=150), doing)
    assert (evidence.acted, number(evidence)) == (True, 1)


def test_heavy_tailed_latency_delays_by_its_least_and_no_more_than_its_most(world: World) -> None:
    async def doing(cluster: Cluster) -> None:
        client = HttpClient(cluster.links.entries["n1"])
        times_s = [await took_s(ask(client, "/slow")) for _ in range(20)]
        client.close()
        assert min(times_s) >= 0.01
        assert max(times_s) > 1.5 * min(times_s)

    evidence = world.during(HeavyTailedLatency("n1", least_ms=10, exponent=1.0, most_ms=60), doing)
    assert (evidence.acted, number(evidence)) == (True, 20)


def test_stall_delays_by_whole_timeouts(world: World) -> None:
    async def doing(cluster: Cluster) -> None:
        client = HttpClient(cluster.links.entries["n1"])
        assert await took_s(ask(client, "/slow")) >= 2 * 0.255  # eight losses in a row, there and back
        client.close()

    evidence = world.during(Stall("n1", loss=1, timeout_ms=1), doing)
    assert evidence.acted is True
    assert "stalls for a retransmission" in evidence.text


def test_shared_bandwidth_is_less_for_each_of_more_connections(world: World) -> None:
    async def doing(cluster: Cluster) -> None:
        clients = [HttpClient(cluster.links.entries["n1"]) for _ in range(3)]
        asked = (ask(client, "/" + "x" * 5000) for client in clients)
        assert await took_s(asyncio.gather(*asked)) >= 0.14  # 15 KB at 100 KB/s
        for client in clients:
            client.close()

    evidence = world.during(SharedBandwidth("n1", kb_per_s=100), doing)
    assert evidence.acted is True
    assert number(evidence) >= 2


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_the_real_toxiproxy_has_no_such_toxic(real: World, fault: Fault) -> None:
    with pytest.raises(FaultError, match=r"the real Toxiproxy has no toxic .* --fault-plane embedded"):
        real.runner.run(fault.inject(real.cluster, TARGETS))
    assert real.runner.run(fault.heal(real.cluster, TARGETS, Evidence(acted=None, text=""))).acted is False


@pytest.mark.parametrize(
    ("kind", "parameters", "words"),
    [
        (CorruptBytes, {"rate": 0}, r"CorruptBytes\(rate=0\): must be from 1e-09 to 1"),
        (CorruptBytes, {"rate": float("nan")}, "rate=nan"),
        (CorruptBytes, {"stream": "up"}, "no such stream. Use 'both', 'upstream' or 'downstream'"),
        (DropConnections, {"share": 1.1}, "must be from 0.001 to 1"),
        (HeavyTailedLatency, {"least_ms": 0}, "least_ms=0"),
        (HeavyTailedLatency, {"exponent": -1}, "exponent=-1"),
        (HeavyTailedLatency, {"least_ms": 20, "most_ms": 10}, r"most_ms=10\): must be from 20 to 3,600,000"),
        (SharedBandwidth, {"kb_per_s": 0}, "kb_per_s=0"),
        (SlowConnect, {"delay_ms": 0}, "delay_ms=0"),
        (Stall, {"loss": 2}, "loss=2"),
        (Stall, {"timeout_ms": 10**9}, "must be from 1 to 60,000"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(kind: type[Fault], parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        kind("n1", **parameters)
