"""A server that stands for election."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

from harness.http.client import HttpClient
from harness.http.message import Request, Response
from harness.node.disk import Disk
from systems.parameter_server.messages import BEAT, NOTHING_SEEN, PULL, Ask, Beat, Promised, Pull, pack, unpack
from systems.parameter_server.server import Config, Server
from tests.helpers.full_disk import DiskThatFills
from tests.helpers.lone_nodes import node_in

WORKERS = ("worker1", "worker2", "worker3")


class Grants:
    """A worker that promises itself. Notes the term on the server's disk at that time, and the one that it asks for."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self.asked: list[tuple[int, int]] = []

    async def request(self, method: str, path: str, body: bytes, *, timeout_s: float) -> Response:
        ask, _ = unpack(body, Ask)
        self.asked.append((int(self._disk.read("term") or 0), ask.term))
        return Response(200, pack(Promised(granted=True, term=ask.term, server=ask.server)))


def server(folder: Path, disk: Disk) -> tuple[Server, Grants]:
    clock = asyncio.get_running_loop().time
    node = node_in(folder, "master", disk=disk, peers=dict.fromkeys(WORKERS, ("127.0.0.1", 1)), clock=clock)
    config = Config(
        first=True, others=(), workers=WORKERS, model="digits", seed=1, step_ms=0, checkpoint_every=10, checkpoints_kept=2,
        rounds=True,
    )  # fmt: skip
    made, worker = Server(node, config), Grants(disk)
    made._workers = dict.fromkeys(WORKERS, cast(HttpClient, worker))
    return made, worker


def test_a_server_that_dies_after_its_election_does_not_lead_the_same_term_again(tmp_path: Path) -> None:
    async def elected() -> list[tuple[int, int]]:
        made, worker = server(tmp_path, Disk(tmp_path / "disk"))
        assert await made._elected()
        return worker.asked

    assert asyncio.run(elected()) == [(0, 1)] * 3
    assert asyncio.run(elected()) == [(1, 2)] * 3, "it was started again"


def test_a_server_whose_disk_is_full_is_not_elected_and_stands_again_later(tmp_path: Path) -> None:
    async def scenario() -> None:
        disk = DiskThatFills(tmp_path / "disk")
        made, worker = server(tmp_path, disk)
        disk.full = True
        assert not await made._stands()
        assert worker.asked == []
        told = await made.handle(Request("POST", BEAT, body=pack(Beat(term=7))))
        assert (told.status, told.body) == (503, b"cannot store a term: No space left on device")
        disk.full = False
        assert await made._stands()
        assert worker.asked == [(0, 1)] * 3

    asyncio.run(scenario())


class HearsItsMaster:
    """A worker that refuses, because it hears the master of term 4."""

    async def request(self, method: str, path: str, body: bytes, *, timeout_s: float) -> Response:
        return Response(200, pack(Promised(granted=False, term=4, server="standby")))


def test_a_server_that_is_refused_again_and_again_still_heeds_the_master(tmp_path: Path) -> None:
    """In the term that it asks for, it would not: the master's is lower. It would go on asking for ever."""

    async def scenario() -> None:
        made, _ = server(tmp_path, Disk(tmp_path / "disk"))
        made._workers = dict.fromkeys(WORKERS, cast(HttpClient, HearsItsMaster()))
        for _ in range(3):
            assert not await made._elected()
        before_s = made._stands_s
        await made.handle(Request("POST", BEAT, body=pack(Beat(term=4))))
        assert made._stands_s > before_s

    asyncio.run(scenario())


def test_a_server_that_hears_of_a_later_term_while_it_is_elected_does_not_lead(tmp_path: Path) -> None:
    async def scenario() -> None:
        disk = Disk(tmp_path / "disk")
        made, _ = server(tmp_path, disk)

        class AfterABeat(Grants):
            async def request(self, method: str, path: str, body: bytes, *, timeout_s: float) -> Response:
                await made.handle(Request("POST", BEAT, body=pack(Beat(term=2))))
                return await super().request(method, path, body, timeout_s=timeout_s)

        made._workers = dict.fromkeys(WORKERS, cast(HttpClient, AfterABeat(disk)))
        assert not await made._elected()
        assert disk.read("term") == b"2"

    asyncio.run(scenario())


def test_a_server_leads_though_those_that_promised_themselves_pull_before_all_others_have_answered(tmp_path: Path) -> None:
    """One worker that does not answer holds the election up: meanwhile the others tell the server its own new term."""

    async def scenario() -> None:
        disk = Disk(tmp_path / "disk")
        made, _ = server(tmp_path, disk)

        class PullsAtOnce(Grants):
            async def request(self, method: str, path: str, body: bytes, *, timeout_s: float) -> Response:
                ask, _ = unpack(body, Ask)
                pull = pack(Pull(worker="worker1", promised=ask.term, term=0, seen=NOTHING_SEEN))
                pulling = asyncio.create_task(made.handle(Request("POST", PULL, body=pull)))
                await asyncio.sleep(0)  # it is at the server, which has no work yet
                pulling.cancel()
                return await super().request(method, path, body, timeout_s=timeout_s)

        made._workers = dict.fromkeys(WORKERS, cast(HttpClient, PullsAtOnce(disk)))
        assert await made._elected()
        assert disk.read("term") == b"1"

    asyncio.run(scenario())
