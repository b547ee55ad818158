"""How long a system of three nodes takes to start, until every node, every link and the load generator answers.

`pytest -p no:locust benchmarks/test_start.py -s` prints seconds of wall time and of processor time for each fault plane. The
harness itself is already running; the nodes do not use PyTorch.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from harness.cluster.cluster import Cluster
from harness.cluster.fault_plane import PlaneKind, toxiproxy_binary
from harness.model.errors import UsageError

sys.path.append(str(Path(__file__).parent.parent / "tests" / "harness"))

from tests.helpers.echo import Echo


@pytest.mark.parametrize("plane", ["embedded", "toxiproxy"])
def test_three_nodes(benchmark: BenchmarkFixture, tmp_path: Path, plane: PlaneKind) -> None:
    if plane == "toxiproxy":
        try:
            toxiproxy_binary()
        except UsageError as error:
            pytest.skip(str(error))
    taken_s: list[float] = []

    async def start() -> None:
        begun_s = time.perf_counter()
        async with Cluster.opened(Echo(replicas=3), tmp_path, seed=1, plane=plane):
            taken_s.append(time.perf_counter() - begun_s)

    used_before_s = _used_s()
    benchmark.pedantic(lambda: asyncio.run(start()), rounds=10, iterations=1)  # type: ignore[no-untyped-call]
    benchmark.extra_info["start_s"] = sorted(taken_s)
    median_s = sorted(taken_s)[len(taken_s) // 2]
    used_s = (_used_s() - used_before_s) / len(taken_s)
    print(
        f"\n{plane}: up in {median_s:.2f} s, median of {len(taken_s)} from {min(taken_s):.2f} to {max(taken_s):.2f} s;", end=" "
    )
    print(f"{used_s:.2f} s of processor time, stopping included")


def _used_s() -> float:
    """Processor time of this process and of the children that it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
