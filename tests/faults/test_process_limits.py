"""Faults that limit a process: which limits apply while windows overlap, and after a kill."""

from __future__ import annotations

import asyncio
import resource
from pathlib import Path

import pytest

from faults.descriptor_exhaustion import DescriptorExhaustion
from faults.kill import Kill
from faults.memory_pressure import MemoryPressure
from harness.cluster.process_limits import limit_of
from harness.model.fault import Fault
from tests.helpers.effort import left_to_ci
from tests.helpers.subject import Stage

LIMITING = pytest.mark.parametrize(
    ("strict", "lax", "which"),
    [
        left_to_ci(MemoryPressure("n1"), MemoryPressure("n1", headroom_mib=1024), resource.RLIMIT_AS),
        (DescriptorExhaustion("n1"), DescriptorExhaustion("n1", spare=100), resource.RLIMIT_NOFILE),
    ],
    ids=["memory", "descriptors"],
)


def _limit(stage: Stage, which: int) -> float:
    return limit_of(stage.cluster.processes.pid("n1"), which)


@LIMITING
def test_of_overlapping_windows_the_stricter_holds(tmp_path: Path, strict: Fault, lax: Fault, which: int) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            first, second = stage.targets("n1", label="w0"), stage.targets("n1", label="w1")
            before = _limit(stage, which)
            began = await strict.inject(stage.cluster, first)
            tight = _limit(stage, which)
            began_too = await lax.inject(stage.cluster, second)
            assert _limit(stage, which) == tight
            await strict.heal(stage.cluster, first, began)
            assert tight < _limit(stage, which) < before
            await lax.heal(stage.cluster, second, began_too)
            assert _limit(stage, which) == before

    asyncio.run(scene())


@LIMITING
def test_node_killed_meanwhile_comes_back_without_a_limit(tmp_path: Path, strict: Fault, lax: Fault, which: int) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            before = _limit(stage, which)
            limited, killed = stage.targets("n1", label="w0"), stage.targets("n1", label="w1")
            kill = Kill("n1")
            for limiting in (strict, lax):
                began = await limiting.inject(stage.cluster, limited)
                injected = await kill.inject(stage.cluster, killed)
                await kill.heal(stage.cluster, killed, injected)
                healed = await limiting.heal(stage.cluster, limited, began)
                assert "until it ended" in healed.text
                assert _limit(stage, which) == before

    asyncio.run(scene())
