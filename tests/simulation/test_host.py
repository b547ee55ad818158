"""What is left of the work of a simulated process that has died."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.model.moment import Moment
from harness.node.disk import Disk
from harness.simulation.host import Host, HostMachine
from harness.simulation.network import Network
from harness.simulation.running import running_in
from harness.simulation.world import BEGIN_S, World

BEGUN_S = 0.5
"""When the process begins its work …"""
WORKS_S = 0.1
"""… and how long that takes. Its callback has ended at once, in the time of the world: the process is ahead."""


def recorded(dies: Callable[[Host], object], *, dies_at_s: float) -> bytes:
    """What is in the journal of a process that says when it begins its work and when that is done."""
    world = World(1)
    host = Host(world, Network(world), 1, "n1", ("10.0.0.1", 7000))

    async def main() -> None:
        journal = HostMachine(host).journal(Path("n1"))
        await asyncio.sleep(BEGUN_S)
        journal.append(b"begun ")
        HostMachine(host).worked(WORKS_S)
        journal.append(b"done ")
        host.begin("sync", 0.001)
        journal.append(b"synced")

    host.start(main)
    world.at(BEGIN_S + dies_at_s, dies, host)
    world.at(BEGIN_S + 1, setattr, world, "over", True)
    with running_in(world):
        world.run(BEGIN_S + 2)
    assert not host.runs
    return host.journal.read_at(0, host.journal.size())


def dies_in_its_next_operation(host: Host) -> None:
    host.counted = lambda operation: operation == "sync"


def test_what_a_process_recorded_before_the_operation_that_it_died_in_is_kept() -> None:
    assert recorded(dies_in_its_next_operation, dies_at_s=0.1) == b"begun done "


def test_what_a_process_would_have_recorded_after_its_announced_death_is_not() -> None:
    assert recorded(lambda host: host.doom(0.05), dies_at_s=BEGUN_S) == b"begun "


def left(by: Callable[[Disk], None], at: Moment, *, goes_on: bool) -> tuple[bytes | None, bytes, int]:
    """What a process leaves that stops itself at a moment of its work and is killed, after it went on or before: what is in
    its log, what of that is on the disk, and how much of it the control page calls durable."""
    world = World(1)
    host = Host(world, Network(world), 1, "n1", ("10.0.0.1", 7000))

    async def main() -> None:
        disk = Disk(HostMachine(host).files(Path("data")))
        disk.append("log", b"old")
        disk.sync("log")
        host.control.moments.arm(at)
        by(disk)
        await asyncio.sleep(10)

    host.start(main)
    if goes_on:
        assert host.loop is not None
        world.at(BEGIN_S + 0.2, host.loop.go_on)
    world.at(BEGIN_S + 0.3, host.kill)
    world.at(BEGIN_S + 0.4, setattr, world, "over", True)
    with running_in(world):
        world.run(BEGIN_S + 2)
    [tracked] = [one for one in host.control.tracked() if one.name == "log"]
    log = host.disk.files("data", "log")["log"]
    return log.read_at(0, 99), log.on_disk(), min(tracked.synced_bytes, log.size())


def appends(disk: Disk) -> None:
    disk.append("log", b" new")
    disk.sync("log")


def replaces(disk: Disk) -> None:
    disk.replace("log", b"replaced")


@pytest.mark.parametrize(
    ("by", "at", "before", "after"),
    [
        (appends, Moment(event="syncing"), (b"old new", b"old", 3), (b"old new", b"old new", 7)),
        (appends, Moment(event="synced"), (b"old new", b"old new", 7), (b"old new", b"old new", 7)),
        (replaces, Moment(event="renaming"), (b"old", b"old", 3), (b"replaced", b"replaced", 8)),
    ],
)
def test_a_process_that_is_killed_where_it_has_stopped_itself_does_nothing_beyond_that(
    by: Callable[[Disk], None], at: Moment, before: tuple[bytes, bytes, int], after: tuple[bytes, bytes, int]
) -> None:
    assert left(by, at, goes_on=False) == before
    assert left(by, at, goes_on=True) == after


@pytest.mark.parametrize("dies", [Host.kill, lambda host: host.doom(0.05), Host.terminate])
def test_a_process_is_asked_what_it_would_have_forgotten_as_in_its_own_loop(dies: Callable[[Host], object]) -> None:
    world, asked = World(1), list[object]()
    host = Host(world, Network(world), 1, "n1", ("10.0.0.1", 7000))

    def forgotten(_: Disk) -> None:
        asked.append(asyncio.get_running_loop())

    async def main() -> None:
        HostMachine(host).must_recover(Path("data"), forgotten)
        Disk(HostMachine(host).files(Path("data"))).append("log", b"something")
        await asyncio.sleep(10)

    host.start(main)
    loop = host.loop
    world.at(BEGIN_S + 0.1, dies, host)
    world.at(BEGIN_S + 0.4, setattr, world, "over", True)
    with running_in(world):
        world.run(BEGIN_S + 2)
    assert host.crashes.forgotten is None
    assert set(asked) == {loop}


@pytest.mark.parametrize(
    ("raised", "code", "log"),
    [(SystemExit(), 0, []), (SystemExit(3), 3, []), (SystemExit("no disk"), 1, ["0.000 n1: no disk"])],
)
def test_a_process_that_exits_has_the_code_that_a_real_one_has(raised: SystemExit, code: int, log: list[str]) -> None:
    world, codes = World(1), list[int]()
    host = Host(world, Network(world), 1, "n1", ("10.0.0.1", 7000))
    host.on_exit = lambda name, pid, code: codes.append(code)

    async def main() -> None:
        raise raised

    host.start(main)
    world.at(BEGIN_S + 0.1, setattr, world, "over", True)
    with running_in(world):
        world.run(BEGIN_S + 2)
    assert (codes, host.log) == ([code], log)


def told_to_stop(closes_s: float) -> tuple[bytes, bool]:
    """What a task of a process, other than its main one, leaves in the journal once the process is told to stop; and whether
    the process runs half a second later. The task takes some time to close."""
    world = World(1)
    host = Host(world, Network(world), 1, "n1", ("10.0.0.1", 7000))

    async def work() -> None:
        journal = HostMachine(host).journal(Path("n1"))
        try:
            await asyncio.sleep(10)
        finally:
            journal.append(b"closing ")
            await asyncio.sleep(closes_s)
            journal.append(b"closed")

    async def main() -> None:
        working = asyncio.create_task(work())
        await asyncio.sleep(10)
        await working

    host.start(main)
    world.at(BEGIN_S + 0.1, host.terminate)
    world.at(BEGIN_S + 0.6, setattr, world, "over", True)
    with running_in(world):
        world.run(BEGIN_S + 2)
    return host.journal.read_at(0, host.journal.size()), host.runs


def test_a_process_may_handle_being_told_to_stop_itself() -> None:
    world = World(1)
    host = Host(world, Network(world), 1, "n1", ("10.0.0.1", 7000))

    async def main() -> None:
        told = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
        await told.wait()
        await asyncio.sleep(0.1)
        HostMachine(host).journal(Path("n1")).append(b"drained")

    host.start(main)
    world.at(BEGIN_S + 0.1, host.terminate)
    world.at(BEGIN_S + 1, setattr, world, "over", True)
    with running_in(world):
        world.run(BEGIN_S + 2)
    assert (host.journal.read_at(0, host.journal.size()), host.runs) == (b"drained", False)


def test_a_process_that_is_told_to_stop_ends_when_all_its_tasks_are_over_as_a_real_one() -> None:
    assert told_to_stop(closes_s=0.2) == (b"closing closed", False)
    assert told_to_stop(closes_s=2.0) == (b"closing ", True)
