"""The world's order: by time, then by scheduling, for timers that are due soon, later, or never."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from math import inf

import pytest

from harness.simulation.host import Host
from harness.simulation.loop import HostLoop
from harness.simulation.network import Network
from harness.simulation.running import running_in
from harness.simulation.world import BEGIN_S, World


def _loop(world: World, number: int) -> HostLoop:
    host = Host(world, Network(world), number, f"n{number}", (f"10.0.0.{number}", 7000))
    host.callback_s, host.context = 0.001, copy_context()
    return HostLoop(world, host)  # type: ignore[abstract]  # as a host makes it


def test_timers_ring_in_order_of_their_times_and_then_of_their_making() -> None:
    world = World(1)
    rung: list[str] = []
    loop = _loop(world, 1)
    for name, after_s in (
        ("far", 90.0),
        ("soon", 0.05),
        ("near", 0.4),
        ("near again", 0.4),
        ("now", -1.0),
        ("far again", 90.0),
    ):
        loop.call_at(BEGIN_S + after_s, rung.append, name)
    for never_s in (inf, 1e13, 1e14):
        loop.call_at(never_s, rung.append, "never")
    loop.call_at(BEGIN_S + 0.4, rung.append, "cancelled").cancel()
    loop.call_at(BEGIN_S + 90.5, setattr, world, "over", True)
    with running_in(world):
        world.run(BEGIN_S + 100)
    assert rung == ["now", "soon", "near", "near again", "far", "far again"]


def test_turns_of_a_busy_host_let_through_what_happens_in_between() -> None:
    world = World(1)
    happened: list[str] = []
    one, other = _loop(world, 1), _loop(world, 2)

    def work(left: int) -> None:
        happened.append(f"one at {world.now - BEGIN_S:.3f}")
        if left:
            one.call_soon(work, left - 1)

    one.call_soon(work, 4)
    other.call_at(BEGIN_S + 0.0025, lambda: happened.append(f"other at {world.now - BEGIN_S:.4f}"))
    world.at(BEGIN_S + 1, setattr, world, "over", True)
    with running_in(world):
        world.run(BEGIN_S + 2)
    assert happened == ["one at 0.000", "one at 0.001", "one at 0.002", "other at 0.0025", "one at 0.003", "one at 0.004"]
    assert one.host.ran_s == pytest.approx(0.005)


def test_a_callback_that_raises_what_a_cancelled_task_raises_does_not_end_the_world() -> None:
    world = World(1)
    loop = _loop(world, 1)

    async def sleep() -> None:
        await asyncio.sleep(10)

    def begin() -> None:
        task = loop.create_task(sleep())
        task.add_done_callback(lambda done: done.result())
        loop.call_later(0.1, task.cancel)

    loop.call_soon(begin)
    loop.call_later(0.2, setattr, world, "over", True)
    with running_in(world):
        world.run(BEGIN_S + 1)
    assert isinstance(loop.host, Host)
    assert loop.host.raised is not None
    assert "a callback raised CancelledError" in loop.host.raised


def test_a_stopped_process_that_goes_on_may_read_what_has_arrived_before_it_looks_at_its_timers() -> None:
    def order(seed: int) -> tuple[str, ...]:
        world, happened = World(seed), list[str]()
        loop = _loop(world, 1)
        loop.call_soon(happened.append, "begun")
        loop.call_later(0.2, happened.append, "too late")
        world.at(BEGIN_S + 0.1, loop.stop_running)
        world.at(BEGIN_S + 0.3, loop.deliver, happened.append, "answer")
        world.at(BEGIN_S + 0.4, loop.go_on)
        world.at(BEGIN_S + 1, setattr, world, "over", True)
        with running_in(world):
            world.run(BEGIN_S + 2)
        return tuple(happened)

    orders = {order(seed) for seed in range(1, 11)}
    assert orders == {("begun", "answer", "too late"), ("begun", "too late", "answer")}
