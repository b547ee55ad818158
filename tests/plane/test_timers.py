"""The fault plane's timers: in order, never early, and asleep while nothing is near."""

from __future__ import annotations

import asyncio
import functools
import time
import tracemalloc

from faults.plane.timers import Timers, now_ns

MS = 1_000_000


def test_timers_fire_in_the_order_of_their_times_and_never_early() -> None:
    async def scenario() -> list[tuple[int, int]]:
        timers = Timers(asyncio.get_running_loop())
        fired: list[tuple[int, int]] = []
        done = asyncio.Event()
        base_ns = now_ns()
        for due_ms in (7, 3, 5, 5, 1, 20):
            due_ns = base_ns + due_ms * MS
            timers.at(due_ns, lambda due_ns=due_ns: fired.append((due_ns, now_ns())))  # type: ignore[misc]
        timers.at(base_ns + 21 * MS, done.set)
        await done.wait()
        timers.close()
        return fired

    fired = asyncio.run(scenario())
    assert [due_ns for due_ns, _ in fired] == sorted(due_ns for due_ns, _ in fired)
    assert len(fired) == 6
    assert all(at_ns >= due_ns for due_ns, at_ns in fired)


def test_nothing_polls_for_an_entry_that_is_far_away() -> None:
    async def scenario() -> float:
        timers = Timers(asyncio.get_running_loop())
        timers.at(now_ns() + 2 * MS, lambda: None).cancel()
        timers.at(now_ns() + 60_000 * MS, lambda: None)
        rung = asyncio.Event()
        timers.at(now_ns() + 4 * MS, rung.set)
        await rung.wait()
        before_s = time.process_time()
        await asyncio.sleep(0.5)
        timers.close()
        return time.process_time() - before_s

    assert asyncio.run(scenario()) < 0.25


def test_cancelled_timers_are_forgotten_long_before_their_time() -> None:
    async def scenario() -> tuple[int, list[int]]:
        timers = Timers(asyncio.get_running_loop())
        fired: list[int] = []
        done = asyncio.Event()
        kept = [timers.at(now_ns() + (10 - number) * MS, functools.partial(fired.append, number)) for number in range(10)]
        tracemalloc.start()
        for number in range(20_000):
            timers.at(now_ns() + 3_600_000 * MS + number, lambda: None).cancel()
        held_bytes, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        kept[3].cancel()
        timers.at(now_ns() + 11 * MS, done.set)
        await done.wait()
        for timer in kept:
            timer.cancel()  # those that have fired are no longer there to be forgotten
        timers.close()
        return held_bytes, fired

    held_bytes, fired = asyncio.run(scenario())
    assert held_bytes < 1_000_000
    assert fired == [9, 8, 7, 6, 5, 4, 2, 1, 0]


def test_a_time_beyond_64_bits_never_comes_and_costs_nothing() -> None:
    async def scenario() -> float:
        timers = Timers(asyncio.get_running_loop())
        timers.at(18 * 10**27, lambda: None)
        timers.at(2**63, lambda: None)
        before_s = time.process_time()
        await asyncio.sleep(0.5)
        timers.close()
        return time.process_time() - before_s

    assert asyncio.run(scenario()) < 0.25


def test_a_callback_that_fails_is_reported_and_the_others_go_on() -> None:
    async def scenario() -> list[object]:
        loop = asyncio.get_running_loop()
        reported: list[object] = []
        loop.set_exception_handler(lambda _, context: reported.append(context["exception"]))
        timers = Timers(loop)
        later = asyncio.Event()

        def start_another() -> None:
            timers.at(now_ns() + 3 * MS, later.set)

        due_ns = now_ns() + MS
        timers.at(due_ns, [].pop)
        timers.at(due_ns, start_another)
        async with asyncio.timeout(10):
            await later.wait()
        timers.close()
        return reported

    (error,) = asyncio.run(scenario())
    assert isinstance(error, IndexError)
