"""The CPU time of processes, with that of the processes below them."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.cluster.cpu_time import cpu_s_of
from harness.cluster.usage import UsageLog
from harness.model.system import Node
from tests.helpers.subject import Stage, Subject, until

BUSY = "import time\nwhile time.process_time() < 0.3: pass\n"

SERVES_BELOW = f"""
import os, socket, sys, time
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
if os.fork():
    os.wait()
{BUSY}
time.sleep(600)
"""
"""A program that serves by a child, as databases do: the parent only waits."""


@pytest.mark.slow
def test_what_the_processes_below_one_use_counts_as_its_own() -> None:
    tree = f"import os, subprocess, sys, time\nsubprocess.run([sys.executable, '-c', {BUSY!r}])\nprint(flush=True)\n"
    tree += f"subprocess.run([sys.executable, '-c', {BUSY + 'print(flush=True)' + chr(10) + 'time.sleep(60)'!r}])"
    with subprocess.Popen([sys.executable, "-c", tree], stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        try:
            process.stdout.readline()
            assert cpu_s_of(process.pid) > 0.25  # by one that has ended
            process.stdout.readline()
            assert cpu_s_of(process.pid) > 0.5  # and by one that runs
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    assert math.isnan(cpu_s_of(process.pid))


@dataclass(frozen=True, kw_only=True)
class Forking(Subject):
    def nodes(self) -> Sequence[Node]:
        return [Node(name="n1", command=(sys.executable, "-c", SERVES_BELOW, "{host}", "{port}"))]


def test_a_node_that_serves_by_child_processes_is_not_idle(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Forking()) as stage:
            usage, pid = UsageLog(stage.cluster), stage.cluster.processes.pid("n1")
            await until(lambda: cpu_s_of(pid) > 0.25)
            for _ in range(2):  # a new process is looked at in another way
                await usage.look()
            await usage.last_look(lambda _: 0, 0.0, 0.0)
            rows = [row for row in usage.rows if row.node == "n1"]
            assert [row.moment for row in rows] == ["start", "load", "end"]
            assert all(row.cpu_ns is not None and row.cpu_ns > 250_000_000 for row in rows)

    asyncio.run(scene())
