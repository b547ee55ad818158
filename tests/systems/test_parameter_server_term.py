"""A master's term: waiting for work, and who takes part in a step."""

from __future__ import annotations

import asyncio
from pathlib import Path

from harness.node.journal import FILE, FileJournal
from systems.parameter_server.bugs import CORRECT
from systems.parameter_server.leading import Leading
from systems.parameter_server.messages import Pull
from systems.parameter_server.term import Changes, Settings, until_work
from systems.training.records import Records
from tests.helpers.lone_nodes import node_in


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


def test_a_worker_that_saw_a_step_of_an_earlier_term_does_not_take_part_in_that_of_this_one(tmp_path: Path) -> None:
    async def scene() -> None:
        settings = Settings(
            name="master", workers=("worker1", "worker2"), model="digits", seed=1, step_s=0, checkpoint_every=10,
            checkpoints_kept=2, staleness=None, parts=1, rules=CORRECT,
        )  # fmt: skip
        node = node_in(tmp_path, "master")
        leading = Leading(3, settings, node, Records(FileJournal(tmp_path / FILE), "master"))
        for term, took_part in ((2, set[str]()), (3, {"worker2"})):
            assert await leading.pull(Pull(worker="worker2", promised=3, term=term, seen=0), 60.0)
            assert leading._round.took_part == took_part

    asyncio.run(scene())
