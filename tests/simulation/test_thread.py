"""A node's thread and its journal, in simulation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from harness.node.disk import Disk
from harness.simulation.host import Host, HostMachine
from harness.simulation.network import Network
from harness.simulation.running import running_in
from harness.simulation.world import BEGIN_S, World

SYNC_S = 0.01
DATA = Path("data")


def carried_out(
    main: Callable[[HostMachine], Coroutine[Any, Any, None]], *, acts: Callable[[Host], object] | None = None
) -> Host:
    """The host after a second with this process; `acts` is called with it in the middle of its first sync."""
    world = World(1)
    host = Host(world, Network(world), 1, "n1", ("10.0.0.1", 7000))
    host.disk.sync_s = (SYNC_S, SYNC_S)
    host.callback_s = 1e-6
    host.on_exit = lambda name, pid, code: None
    host.start(lambda: main(HostMachine(host)))
    if acts is not None:
        world.at(BEGIN_S + SYNC_S / 2, acts, host)
    world.at(BEGIN_S + 1, setattr, world, "over", True)
    with running_in(world):
        world.run(BEGIN_S + 2)
    return host


def replacing(machine: HostMachine, *names: str) -> Callable[[], str]:
    """A function for a thread that writes these files, with two syncs each."""

    def write() -> str:
        for name in names:
            Disk(machine.files(DATA)).replace(name, name.encode())
        return "written"

    return write


def test_the_loop_goes_on_while_the_thread_waits_for_its_disk() -> None:
    happened: list[str] = []

    async def main(machine: HostMachine) -> None:
        written = machine.thread().submit(replacing(machine, "one"))
        while not written.done():
            happened.append("the loop")
            await asyncio.sleep(SYNC_S / 2)
        happened.append(written.result())

    host = carried_out(main)
    assert happened == [*["the loop"] * 5, "written"]
    assert sorted(host.disk.files("data", "*")) == ["one"]


def test_what_is_submitted_runs_in_order_and_an_error_is_that_of_its_future() -> None:
    happened: list[object] = []

    def fails() -> None:
        happened.append("fails")
        raise ValueError("no")

    async def main(machine: HostMachine) -> None:
        thread = machine.thread()
        futures: list[Future[Any]] = [thread.submit(replacing(machine, "one")), thread.submit(fails), thread.submit(len, "abc")]
        futures[0].add_done_callback(lambda _: happened.append("one"))
        assert not any(future.done() for future in futures), "nothing runs before the loop's turn is over"
        await asyncio.sleep(3 * SYNC_S)
        happened.extend([str(futures[1].exception()), futures[2].result()])
        happened.append(thread.submit(len, "abcd").done())

    carried_out(main)
    assert happened == ["one", "fails", "no", 3, False]


def test_what_it_does_can_be_awaited() -> None:
    answers: list[Any] = []

    async def main(machine: HostMachine) -> None:
        thread, loop = machine.thread(), asyncio.get_running_loop()
        answers.append(await loop.run_in_executor(thread, replacing(machine, "one")))
        first: Future[Any] = thread.submit(len, "abc")
        answers.append(await asyncio.wrap_future(first))
        answers.append(await asyncio.wrap_future(first))

    carried_out(main)
    assert answers == ["written", 3, 3]


def test_a_process_that_ends_itself_waits_for_its_thread() -> None:
    async def main(machine: HostMachine) -> None:
        machine.thread().submit(replacing(machine, "one", "two"))

    host = carried_out(main)
    assert not host.runs
    assert sorted(host.disk.files("data", "*")) == ["one", "two"]


def test_what_is_cancelled_before_its_turn_does_not_happen() -> None:
    happened: list[str] = []

    async def main(machine: HostMachine) -> None:
        thread = machine.thread()
        written, waits = thread.submit(replacing(machine, "one")), thread.submit(happened.append, "cancelled")
        await asyncio.sleep(SYNC_S)
        assert waits.cancel()
        assert not written.cancel(), "it is under way"
        thread.submit(happened.append, "the next")
        await asyncio.sleep(0.5)

    host = carried_out(main)
    assert happened == ["the next"]
    assert (sorted(host.disk.files("data", "*")), host.raised) == (["one"], None)


def test_to_shut_it_down_blocks_the_loop_until_all_is_done() -> None:
    took_s: list[float] = []

    async def main(machine: HostMachine) -> None:
        thread, begun_s = machine.thread(), asyncio.get_running_loop().time()
        written = thread.submit(replacing(machine, "one", "two"))
        await asyncio.sleep(SYNC_S / 2)
        thread.shutdown()
        assert written.result(0) == "written"
        took_s.append(asyncio.get_running_loop().time() - begun_s)

    carried_out(main)
    assert took_s == [pytest.approx(4 * SYNC_S, rel=0.02)]


@pytest.mark.parametrize("acts", [Host.kill, Host.cut_power, lambda host: host.doom(SYNC_S / 4)])
def test_a_crash_between_two_operations_of_the_thread_leaves_what_the_first_did(acts: Callable[[Host], object]) -> None:
    raised: list[BaseException] = []

    async def main(machine: HostMachine) -> None:
        def write() -> None:
            try:
                replacing(machine, "one")()
            except Exception as error:  # a dead process runs nothing, not even this
                raised.append(error)

        machine.thread().submit(write)
        await asyncio.sleep(1)

    host = carried_out(main, acts=acts)
    assert not host.runs
    assert host.disk.files("data", "*") == {}, "it was not renamed yet"
    assert raised == []


def test_a_stopped_process_stops_its_thread() -> None:
    done: list[Future[str]] = []

    async def main(machine: HostMachine) -> None:
        done.append(machine.thread().submit(replacing(machine, "one")))
        await asyncio.sleep(1)

    def stops(host: Host) -> None:
        assert host.loop is not None
        host.loop.stop_running()

    carried_out(main, acts=stops)
    assert not done[0].done()


def test_a_process_that_was_ahead_of_its_death_has_not_written_what_came_after_it() -> None:
    async def main(machine: HostMachine) -> None:
        journal = machine.journal(DATA)
        journal.append(b"first\n")
        machine.worked(1)  # which its host, a quick one, is through with only after its death
        journal.append(b"second\n")
        await asyncio.sleep(1)

    assert carried_out(main).journal.read_at(0, 99) == b"first\nsecond\n"
    host = carried_out(main, acts=Host.kill)
    assert host.journal.read_at(0, host.journal.size()) == b"first\n"
