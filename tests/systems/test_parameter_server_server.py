"""A server that stands for election."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from harness.http.client import HttpClient
from harness.http.message import Response
from harness.node.context import NodeContext
from harness.node.disk import Disk
from systems.parameter_server.messages import Ask, Promised, pack, unpack
from systems.parameter_server.server import Config, Server

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


def test_a_server_that_dies_after_its_election_does_not_lead_the_same_term_again(tmp_path: Path) -> None:
    async def elected() -> list[tuple[int, int]]:
        node = SimpleNamespace(
            name="master",
            data=tmp_path,
            disk=Disk(tmp_path / "disk"),
            peers=dict.fromkeys(WORKERS, ("127.0.0.1", 1)),
            clock=asyncio.get_running_loop().time,
        )
        config = Config(
            first=True, others=(), workers=WORKERS, model="digits", seed=1, step_ms=0, checkpoint_every=10, checkpoints_kept=2,
            rounds=True,
        )  # fmt: skip
        server, worker = Server(cast(NodeContext, node), config), Grants(node.disk)
        server._workers = dict.fromkeys(WORKERS, cast(HttpClient, worker))
        assert await server._elected()
        return worker.asked

    assert asyncio.run(elected()) == [(1, 1)] * 3
    assert asyncio.run(elected()) == [(2, 2)] * 3, "it was started again"
