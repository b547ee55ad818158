"""Waiting for work in a master's term."""

from __future__ import annotations

import asyncio

from systems.parameter_server.term import Changes, until_work


def test_work_is_handed_out_when_there_is_some_and_not_after_the_term() -> None:
    async def scene() -> None:
        changes, looks, over = Changes(), list[float](), False

        def look(now_s: float) -> bytes | float:
            looks.append(now_s)
            return b"work" if len(looks) > 2 else 0.0

        assert await until_work(changes, lambda: over, look, 60.0) == b"work"
        assert len(looks) == 3
        over = True
        assert await until_work(changes, lambda: over, look, 60.0) is None
        assert len(looks) == 3

    asyncio.run(scene())


def test_a_change_wakes_workers_that_wait_and_so_does_the_end() -> None:
    async def scene() -> None:
        changes, there, over = Changes(), False, False

        def look(now_s: float) -> bytes | float:
            return b"work" if there else 60.0

        waiting = asyncio.create_task(until_work(changes, lambda: over, look, 60.0))
        await asyncio.sleep(0)
        there = True
        changes.tell()
        assert await waiting == b"work"
        there = False
        waiting = asyncio.create_task(until_work(changes, lambda: over, look, 60.0))
        await asyncio.sleep(0)
        over = True
        changes.tell()
        assert await waiting is None

    asyncio.run(scene())


def test_waiting_ends_after_a_while_and_whoever_gave_up_is_not_woken() -> None:
    async def scene() -> None:
        changes = Changes()
        assert await until_work(changes, lambda: False, lambda now_s: 0.0, 0.001) is None
        await changes.wait(0.001)
        gave_up = asyncio.create_task(changes.wait(60.0))
        await asyncio.sleep(0)
        gave_up.cancel()
        waiting = asyncio.create_task(changes.wait(60.0))
        await asyncio.sleep(0)
        changes.tell()
        changes.tell()
        await waiting
        assert gave_up.cancelled()

    asyncio.run(scene())
