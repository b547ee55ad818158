"""A worker that changes its master."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from harness.http.message import Request
from systems.parameter_server.messages import PROMISE, Ask, Buffer, Promised, Work, pack, unpack
from systems.parameter_server.protocol import Promise
from systems.parameter_server.worker import Config, Worker, _Server
from tests.helpers.full_disk import DiskThatFills
from tests.helpers.lone_nodes import node_in


def work(step: int) -> Work:
    """Work of the master of term 1."""
    return Work(
        term=1, step=step, batch=step, shards=(step,), whole=False, progress=msgspec.Raw(b"null"), loss=0.0, gradient_norm=0.0
    )


class Served(Worker):
    """A worker whose master hands out step 0, and step 1 when it is told to answer."""

    def __init__(self, folder: Path) -> None:
        clock = asyncio.get_running_loop().time
        node = node_in(folder, "worker1", peers={"master": ("127.0.0.1", 1)}, clock=clock)
        super().__init__(node, Config(servers=("master", "standby"), model="digits", seed=1))
        self.answers = asyncio.Event()
        self.taken: list[int] = []
        self._left = [work(0), work(1)]

    async def _pull(self, server: _Server) -> tuple[Work, Buffer] | None:
        if len(self._left) < 2:
            await self.answers.wait()
        return (self._left.pop(0), b"") if self._left else await asyncio.get_running_loop().create_future()

    def _take(self, work: Work, parameters: Buffer) -> None:
        self.taken.append(work.step)

    async def _compute(self, server: _Server, work: Work) -> None:
        pass


async def settle() -> None:
    """Let the worker go on until it waits for something: that takes it a few turns of the loop, and no time."""
    for _ in range(20):
        await asyncio.sleep(0)


async def taken(folder: Path, *, other_master: bool) -> list[int]:
    """The steps whose parameters the worker takes."""
    worker = Served(folder)
    working = asyncio.create_task(worker.work_for("master"))
    await settle()
    assert worker.taken == [0]
    if other_master:
        assert worker._obeys(2, "standby")
    worker.answers.set()
    await settle()
    working.cancel()
    return worker.taken


def test_parameters_are_not_taken_from_a_master_that_was_replaced_while_a_pull_was_under_way(tmp_path: Path) -> None:
    assert asyncio.run(taken(tmp_path / "same", other_master=False)) == [0, 1]
    assert asyncio.run(taken(tmp_path / "other", other_master=True)) == [0]


def test_a_worker_works_for_the_master_that_the_others_elected_instead_of_the_server_that_it_promised_itself_to(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        worker = Served(tmp_path)
        asked = Request("POST", PROMISE, body=pack(Ask(server="standby", term=1)))
        assert unpack((await worker.handle(asked)).body, Promised)[0].granted
        working = asyncio.create_task(worker.work_for("master"))
        await settle()
        working.cancel()
        assert worker.taken == [0]

    asyncio.run(scenario())


def test_a_promise_that_the_disk_does_not_take_is_not_given(tmp_path: Path) -> None:
    async def scenario() -> None:
        worker, disk = Served(tmp_path), DiskThatFills(tmp_path / "disk")
        worker._node.disk = disk
        asked = Request("POST", PROMISE, body=pack(Ask(server="standby", term=2)))
        disk.full = True
        for _ in range(2):
            told = await worker.handle(asked)
            assert (told.status, told.body) == (503, b"cannot store a promise: No space left on device")
            assert not worker._obeys(3, "master")
        assert worker._promises.kept == Promise()
        disk.full = False
        assert unpack((await worker.handle(asked)).body, Promised)[0].granted
        assert msgspec.json.decode(disk.read("promise") or b"", type=Promise) == Promise(2, "standby")
        assert worker._obeys(3, "master")

    asyncio.run(scenario())
