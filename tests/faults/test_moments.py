"""Faults that begin at a point of a node's own work: everything before it is done, and nothing after it."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from faults.kill import Kill
from faults.latency import Latency
from faults.partition import Partition
from faults.pause import Pause
from faults.power_loss import PowerLoss
from harness.cluster.cluster import Cluster
from harness.cluster.node_moments import NodeMoments
from harness.cluster.steering import Steering
from harness.http.client import HttpClient
from harness.http.message import Response, TransportError
from harness.model.drill import Drill
from harness.model.errors import UsageError
from harness.model.fault import MomentWindow
from harness.model.fault_window import FaultWindow
from harness.model.load import Load
from harness.model.moment import Event, Moment
from harness.model.system import System
from harness.node import name_match
from harness.node.control import ControlPage
from harness.node.disk import Disk
from harness.node.files import Files, SteeredFiles
from harness.run.injector import hold
from harness.run.schedule import plan, plan_faults
from harness.run.schedule_file import encode, read
from systems.foreign.redis import Redis
from systems.parts.owner import Owner
from systems.quorum import Quorum
from systems.quorum.messages import Put
from systems.quorum.replica import Part
from systems.quorum.storage import LOG
from tests.helpers.echo import Echo, Numbers
from tests.helpers.effort import left_to_ci
from tests.helpers.subject import until

DEADLINE_S = 30.0
LOAD_S = 10.0


class Unwatched:
    def on_window(self, record: FaultWindow) -> None: ...


@dataclass(frozen=True)
class Store:
    """A quorum store of three nodes, and requests to it during a window."""

    cluster: Cluster

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, folder: Path) -> AsyncIterator[Store]:
        async with asyncio.timeout(DEADLINE_S), Cluster.opened(Quorum(), folder, seed=1, plane="embedded") as cluster:
            yield cls(cluster)

    async def put(self, key: str, *, node: str = "n1", timeout_s: float = 2.0) -> Response | TransportError:
        client = HttpClient(self.cluster.address(node))
        try:
            body = msgspec.json.encode(Put("1"))
            return await client.request("PUT", f"/kv/{key}", body, timeout_s=timeout_s)
        except TransportError as error:
            return error
        finally:
            client.close()

    async def holders(self, key: str) -> set[str]:
        """The nodes whose own replica holds the key."""
        found = set()
        for name in self.cluster.nodes:
            client = HttpClient(self.cluster.address(name))
            response = await client.request("GET", "/replica", timeout_s=2.0, headers=Owner("quorum", name).headers)
            client.close()
            if any(held.key == key for held in response.decode(Part).held):
                found.add(name)
        return found

    async def put_at(self, item: MomentWindow, key: str) -> tuple[FaultWindow, Response | TransportError]:
        """Write a key through n1 while the window waits for its moment; returns the recorded window and the client's answer."""
        (planned,) = plan_faults([item], self.cluster.system, LOAD_S, seed=1)
        holding = asyncio.create_task(hold(self.cluster, planned, time.monotonic_ns(), Unwatched(), asyncio.Event()))
        await until(lambda: bool(self.cluster.moments.seen(planned.label)))
        answer = await self.put(key)
        return await holding, answer


@pytest.mark.parametrize(
    ("item", "holders"),
    [
        left_to_ci(Kill("n1").when(received="/kv/", for_s=0.05), {0}),
        left_to_ci(Kill("n1").when(sent="/replica", nth=2, for_s=0.05), {0}),
        left_to_ci(Kill("n1").when(heard="/replica", for_s=0.05), {0}),
        (Kill("n1").when(sent="/replica", nth=3, for_s=0.05), {1, 2}),
        left_to_ci(Kill("n1").when(answering="/kv/", for_s=0.05), {1, 2}),
    ],
    ids=["received", "queries sent", "a query heard", "a store sent", "answering"],
)
def test_a_node_dies_just_when_it_has_done_so_much_of_a_write(tmp_path: Path, item: MomentWindow, holders: set[int]) -> None:
    """A write asks both peers what they hold, then has both store it; the second one when it has answered the question.

    n1 also stores it itself, if it lives to do so.
    """

    async def scene() -> None:
        async with Store.opened(tmp_path) as store:
            window, answer = await store.put_at(item, "x")
            assert isinstance(answer, TransportError)  # it was never acknowledged
            assert window.acted, window.evidence
            assert window.evidence.startswith(f"began as n1 reached: {item.moment.event}")
            assert len(await store.holders("x") - {"n1"}) in holders
            assert isinstance(await store.put("y"), Response)  # it is back

    asyncio.run(scene())


@pytest.mark.parametrize("kept", [False, left_to_ci(True)])
def test_power_is_lost_just_before_or_just_after_a_sync(tmp_path: Path, kept: bool) -> None:
    async def scene() -> None:
        async with Store.opened(tmp_path) as store:
            power = PowerLoss("n1")
            synced = power.when(synced=LOG, for_s=0.05)
            item = synced if kept else power.when(syncing=LOG, for_s=0.05)
            window, _ = await store.put_at(item, "x")
            assert window.healed_s is not None
            assert ("n1" in await store.holders("x")) is kept

    asyncio.run(scene())


@pytest.mark.slow
def test_a_node_goes_on_if_the_fault_is_on_its_links(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Store.opened(tmp_path) as store:
            cut = Latency("n1>n2", delay_ms=300).when(sent="/replica", nth=3, at="n1", for_s=0.5)
            window, answer = await store.put_at(cut, "x")
            assert isinstance(answer, Response)
            assert answer.status == 200  # n3 is enough of a quorum
            assert window.acted, window.evidence

    asyncio.run(scene())


@pytest.mark.slow
def test_a_paused_node_stays_stopped_until_its_window_ends(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Store.opened(tmp_path) as store:
            begun = time.monotonic()
            window, answer = await store.put_at(Pause("n1").when(received="/kv/", for_s=0.5), "x")
            assert isinstance(answer, Response)
            assert time.monotonic() - begun >= 0.5
            assert window.acted, window.evidence

    asyncio.run(scene())


@pytest.mark.slow
def test_two_windows_that_wait_for_the_same_moment_both_begin_then(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Store.opened(tmp_path) as store:
            both = [Pause("n1").when(received="/kv/", for_s=0.1), Kill("n1").when(received="/kv/", for_s=0.3)]
            planned = plan_faults(both, store.cluster.system, LOAD_S, seed=1)
            begun, never = time.monotonic_ns(), asyncio.Event()
            holding = [asyncio.create_task(hold(store.cluster, one, begun, Unwatched(), never)) for one in planned]
            await until(lambda: all(store.cluster.moments.seen(one.label) for one in planned))
            assert isinstance(await store.put("x"), TransportError)
            await asyncio.gather(*holding)
            assert isinstance(await store.put("y"), Response)

    asyncio.run(scene())


@pytest.mark.slow
def test_a_moment_that_never_comes_means_that_the_fault_did_not_act(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Store.opened(tmp_path) as store:
            (planned,) = plan_faults([Kill("n1").when(received="/kv/", nth=3)], store.cluster.system, LOAD_S, seed=1)
            over = asyncio.Event()
            holding = asyncio.create_task(hold(store.cluster, planned, time.monotonic_ns(), Unwatched(), over))
            await until(lambda: bool(store.cluster.moments.seen(planned.label)))
            before = store.cluster.processes.pid("n1")
            for key in ("x", "y"):
                await store.put(key)
            over.set()
            window = await holding
            assert window.acted is False
            assert window.evidence == "never reached received /kv/ #3: n1 2×"
            await store.put("z")  # is not waited for any more
            assert store.cluster.processes.pid("n1") == before

    asyncio.run(scene())


def test_a_file_that_is_about_to_take_its_place(tmp_path: Path) -> None:
    stops: list[bool] = []
    page = ControlPage(stop=lambda: stops.append((tmp_path / "log").exists()))
    disk = Disk(SteeredFiles(Files(tmp_path), page))
    slot = page.moments.arm(Moment(event="renaming", match="log", nth=2))
    assert slot is not None
    disk.replace("mark", b"0")
    disk.replace("log", b"1")
    assert not page.moments.reached(slot)
    (tmp_path / "log").unlink()
    disk.replace("log", b"2")
    assert stops == [False]
    page.moments.disarm(slot)
    disk.replace("log", b"3")
    assert stops == [False]
    assert not page.moments.armed


def test_the_harness_own_questions_are_no_moments() -> None:
    page = ControlPage()
    slot = page.moments.arm(Moment(event="received"))
    assert slot is not None
    page.moments.passes(Event.RECEIVED, "/-/node")
    assert page.moments.seen(slot) == 0


def test_a_node_does_not_stop_itself_for_a_window_that_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The window ends while the node is about to count: nobody would wake it."""
    stops: list[str] = []
    moments = ControlPage(stop=lambda: stops.append("stopped")).moments
    slot = moments.arm(Moment(event="sent", match="/replica"))
    assert slot is not None

    def meanwhile(words: memoryview[int], at: int, name: str) -> bool:
        moments.disarm(slot)
        assert not moments.reached(slot)
        return True

    monkeypatch.setattr(name_match, "matches", meanwhile)
    moments.passes(Event.SENT, "/replica")
    assert not stops


class AboutToStop:
    """The process of a node, as the kernel sees it."""

    def __init__(self) -> None:
        self.kernels_word = "running"

    def state(self, name: str) -> str:
        return self.kernels_word

    def wake(self, name: str) -> None:
        self.kernels_word = "sleeping"


def test_a_moment_is_reached_once_the_node_stands_still_so_that_it_can_be_woken() -> None:
    """If the fault began, and the node were to go on, while it is about to stop itself, it would then stop for good."""
    process, seen = AboutToStop(), list[str | None]()

    def stop() -> None:
        seen.append(moments.reached("w0"))
        process.kernels_word = "stopped"

    page = ControlPage(stop=stop)
    moments = NodeMoments({"n1": Steering(page)}, process)
    moments.expect("w0", ["n1"], Moment(event="sent", match="/replica"))
    page.moments.passes(Event.SENT, "/replica")
    assert seen == [None]
    assert moments.reached("w0") == "n1"
    moments.go_on("w0")
    assert process.kernels_word == "sleeping"


def test_a_schedule_keeps_its_moments(tmp_path: Path) -> None:
    drill = Drill(
        system=Echo(replicas=2),
        workload=Numbers(),
        load=Load(rate=10, seconds=3),
        faults=[Kill("one").when(sent="/replica", nth=3, at="n2", from_s=1, for_s=0.5)],
    )
    planned = plan(drill, seed=1)
    (tmp_path / "schedule.json").write_bytes(encode(planned, "x/y", 1))
    assert list(read(tmp_path, drill)) == planned


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Kill("n1").when(), "say one thing that the node does"),
        (lambda: Kill("n1").when(sent="/a", heard="/b"), "say one thing that the node does"),
        (lambda: Kill("n1").when(sent="/a", nth=0), "needs nth >= 1"),
        (lambda: Kill("n1").when(sent="/a", for_s=0), "needs for_s >= 0.001"),
        (lambda: Kill("n1").when(sent="/" * 65), "Shorten it"),
        (lambda: Kill("n1").when(sent="/a", from_s=-1), "needs from_s >= 0"),
        (lambda: Partition("n1>n2").when(sent="/a"), 'name the node: at="n1"'),
        (lambda: _drill(Echo(), Kill("n1").when(sent="/a", at="n7")), "there is no node 'n7'"),
        (lambda: _drill(Redis(), Kill("redis").when(sent="/a", at="redis")), "redis is a foreign program"),
        (lambda: _drill(Redis(), Kill("redis").when(sent="/a")), "redis is a foreign program"),
        (lambda: _drill(Echo(), Kill("n1").when(sent="/a", from_s=2.5)), "after the load stops"),
    ],
)
def test_what_makes_no_sense_is_said_before_anything_starts(make: Callable[[], object], text: str) -> None:
    with pytest.raises(UsageError, match=re.escape(text)):
        make()


def _drill(system: System, item: MomentWindow) -> Drill:
    return Drill(system=system, workload=Numbers(), load=Load(rate=10, seconds=3), faults=[item])
