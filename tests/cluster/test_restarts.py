"""Windows that start a node again while others take it down."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.model.system import Node
from tests.helpers.subject import Stage, Subject, until

SLOW_THE_SECOND_TIME = """
import pathlib, socket, sys, time
begun, go_on = (pathlib.Path(sys.argv[3]) / name for name in ("begun", "go-on"))
while begun.exists() and not go_on.exists():
    time.sleep(0.001)
begun.touch()
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
time.sleep(600)
"""


@dataclass(frozen=True, kw_only=True)
class Slow(Subject):
    folder: str

    def nodes(self) -> Sequence[Node]:
        return [Node(name="n1", command=(sys.executable, "-c", SLOW_THE_SECOND_TIME, "{host}", "{port}", self.folder))]


def test_a_start_that_another_window_cuts_short_ends_even_if_that_window_begins_the_next(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path / "run", Slow(folder=str(tmp_path))) as stage:
            processes = stage.cluster.processes
            await processes.kill("n1", "w0")
            first = asyncio.create_task(processes.restart("n1", "w0"))
            await until(lambda: processes.runs("n1"))
            await processes.kill("n1", "w1")
            second = asyncio.create_task(processes.restart("n1", "w1"))
            assert await first is None
            (tmp_path / "go-on").touch()
            assert await second == processes.pid("n1")
            assert stage.kinds("n1") == ["started", "killed", "killed", "started"]

    asyncio.run(scene())
