"""The pacer wakes sleepers in order, none before its time; how late is the machine's affair."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from pathlib import Path
from random import Random

import pytest
import uvloop

from harness.node.pacer import TimerPacer


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_no_waiter_is_woken_early_and_all_are_woken_in_order(run: object) -> None:
    async def main() -> None:
        pacer, begin, woken = TimerPacer(), time.monotonic_ns(), list[int]()

        async def sleep(after_us: int) -> None:
            at_ns = begin + after_us * 1000
            slept = time.monotonic_ns() < at_ns
            await pacer.sleep_until(at_ns)
            assert time.monotonic_ns() >= at_ns
            if slept:
                woken.append(after_us)

        delays_us = [50_000 + number * 100 for number in range(200)]
        shuffled = Random(1).sample(delays_us, len(delays_us))
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            for after_us in shuffled:
                tasks.create_task(sleep(after_us))
        assert woken == sorted(woken)
        assert len(woken) > 1, "this machine took 70 ms to start 200 tasks"
        pacer.close()

    execute(run, main())


def test_a_time_that_is_past_or_now_returns_at_once() -> None:
    async def main() -> None:
        pacer = TimerPacer()
        for at_ns in (0, -5, time.monotonic_ns()):
            await asyncio.wait_for(pacer.sleep_until(at_ns), 30)
        pacer.close()

    asyncio.run(main())


def test_an_earlier_sleeper_that_comes_later_is_woken_first() -> None:
    async def main() -> None:
        pacer, order = TimerPacer(), list[str]()

        async def sleep(name: str, after_ms: int) -> None:
            await pacer.sleep_until(begin + after_ms * 1_000_000)
            order.append(name)

        begin = time.monotonic_ns()
        late = asyncio.create_task(sleep("late", 60))
        await asyncio.sleep(0)
        early = asyncio.create_task(sleep("early", 20))
        async with asyncio.timeout(30):
            await asyncio.gather(late, early)
        assert order == ["early", "late"]
        pacer.close()

    asyncio.run(main())


def test_a_cancelled_sleeper_does_not_hold_the_others_up() -> None:
    async def main() -> None:
        pacer = TimerPacer()
        begin = time.monotonic_ns()
        first = asyncio.create_task(pacer.sleep_until(begin + 10_000_000))
        second = asyncio.create_task(pacer.sleep_until(begin + 20_000_000))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait_for(second, 30)
        pacer.close()

    asyncio.run(main())


def test_a_sleeper_that_comes_just_as_the_alarm_has_rung_is_no_error() -> None:
    async def main() -> None:
        loop, pacer, errors = asyncio.get_running_loop(), TimerPacer(), list[object]()
        loop.set_exception_handler(lambda _, context: errors.append(context))
        first = asyncio.create_task(pacer.sleep_until(time.monotonic_ns() + 1_000_000))
        await asyncio.sleep(0)
        busy_until_ns = time.monotonic_ns() + 2_000_000
        while time.monotonic_ns() < busy_until_ns:  # the alarm rings, and the loop cannot look yet
            pass
        pacer.wake_all()
        second = asyncio.create_task(pacer.sleep_until(time.monotonic_ns() + 20_000_000))
        async with asyncio.timeout(30):
            await asyncio.gather(first, second)
        pacer.close()
        assert errors == []

    asyncio.run(main())


def test_closing_leaves_no_descriptor() -> None:
    async def main() -> None:
        before = descriptors()
        for _ in range(10):
            pacer = TimerPacer()
            await pacer.sleep_until(time.monotonic_ns() + 1000)
            pacer.close()
        assert descriptors() == before

    asyncio.run(main())


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def execute(run: object, main: Coroutine[object, object, None]) -> None:
    assert callable(run)
    run(main)
