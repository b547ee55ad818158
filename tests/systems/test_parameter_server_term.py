"""Waiting for work in a master's term."""

from __future__ import annotations

import asyncio

import pytest

from systems.parameter_server import term
from systems.parameter_server.term import Changes, until_work


def test_work_is_handed_out_when_there_is_some_and_not_after_the_term() -> None:
    async def scene() -> None:
        changes, looks, over = Changes(), list[float](), False

        def look(now_s: float) -> bytes | float:
            looks.append(now_s)
            return b"work" if len(looks) > 2 else 0.0

        assert await until_work(changes, lambda: over, look) == b"work"
        assert len(looks) == 3
        over = True
        assert await until_work(changes, lambda: over, look) is None
        assert len(looks) == 3

    asyncio.run(scene())


def test_a_change_wakes_workers_that_wait_and_so_does_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(term, "WAIT_S", 60.0)

    async def scene() -> None:
        changes, there, over = Changes(), False, False

        def look(now_s: float) -> bytes | float:
            return b"work" if there else 60.0

        waiting = asyncio.create_task(until_work(changes, lambda: over, look))
        await asyncio.sleep(0)
        there = True
        changes.tell()
        assert await waiting == b"work"
        there = False
        waiting = asyncio.create_task(until_work(changes, lambda: over, look))
        await asyncio.sleep(0)
        over = True
        changes.tell()
        assert await waiting is None

    asyncio.run(scene())
