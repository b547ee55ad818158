"""How much memory processes take, as the kernel counts it."""

from __future__ import annotations

import re
import statistics
import tempfile
from collections.abc import Iterable
from pathlib import Path

import psutil
from balancers import answering

from harness.cluster.ports import HOST, reserved
from harness.cluster.warden_client import WardenClient
from harness.node.context import NodeSpec
from systems.serving import Serving


def peak_mib(pids: Iterable[int]) -> float:
    """The most memory that the largest of these processes ever had resident (VmHWM)."""
    found = [re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text()) for pid in pids]
    return max(int(match[1]) / 1024 for match in found if match)


def own_and_shared_mib(pids: Iterable[int]) -> tuple[float, float]:
    """Medians: the memory that a process has to itself (USS), and that plus its part of what it shares with others (PSS)."""
    infos = [psutil.Process(pid).memory_full_info() for pid in pids]
    return statistics.median(info.uss for info in infos) / 2**20, statistics.median(info.pss for info in infos) / 2**20


async def bare_node_mib() -> tuple[float, float]:
    """USS of an idle node, forked like a replica after the import of torch, and RSS of the process that did the import."""
    with tempfile.TemporaryDirectory() as scratch, reserved(1) as (port,):
        folder = Path(scratch)
        spec = NodeSpec(
            name="bare", start=0, host=HOST, port=port, data=str(folder), log=str(folder / "log"), seed=1, code="bare_node"
        )  # fmt: skip
        async with WardenClient.opened(Serving().preload(), folder / "warden.log") as processes:
            pid = await processes.start(spec)
            await answering((HOST, port), "GET", "/")
            return own_and_shared_mib([pid])[0], psutil.Process(psutil.Process(pid).ppid()).memory_info().rss / 2**20
