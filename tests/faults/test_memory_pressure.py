"""MemoryPressure: a node cannot grow during the fault, and can again afterwards."""

from __future__ import annotations

import asyncio
import resource
from pathlib import Path

import psutil
import pytest

from faults.kill import Kill
from faults.memory_pressure import MemoryPressure
from harness.cluster.process_limits import limit_of
from harness.model.errors import FaultError, UsageError
from tests.helpers.subject import Stage, until


def _limit(stage: Stage) -> float:
    return limit_of(stage.cluster.processes.pid("n1"), resource.RLIMIT_AS)


def test_node_cannot_grow_while_the_window_holds(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            before = _limit(stage)
            said: list[str] = []
            _, healed = await stage.during(MemoryPressure("n1"), "n1", lambda: _say(said, stage, "/grow?mib=16"))
            assert said == ["no memory"]
            assert healed.acted
            assert healed.text.endswith("; 1 refusals in its log")
            assert _limit(stage) == before
            assert await stage.ask("n1", "/grow?mib=16") == "done"

    asyncio.run(scene())


async def _say(said: list[str], stage: Stage, *paths: str) -> None:
    for path in paths:
        said.append(await stage.ask("n1", path))


@pytest.mark.slow
def test_node_that_asked_for_nothing_was_not_pressed(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            _, healed = await stage.during(MemoryPressure("n1"), "n1", lambda: stage.ask("n1", "/log?text=idle"))
            assert healed.acted is False
            assert healed.text.endswith("; nothing shows that it asked for more")

    asyncio.run(scene())


@pytest.mark.slow
def test_growth_that_is_over_between_two_looks_shows_in_the_peak(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            await _say([], stage, "/blip?mib=32")  # so that later the node needs memory for nothing else
            said: list[str] = []
            fault = MemoryPressure("n1", headroom_mib=32.9)
            _, healed = await stage.during(fault, "n1", lambda: _say(said, stage, "/blip?mib=32"))
            assert said == ["done"]
            assert healed.acted
            assert "refusals" not in healed.text

    asyncio.run(scene())


def test_node_may_use_its_headroom_up(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            said: list[str] = []
            grown = [f"/grow?mib={mib}" for mib in (24, 4, 2, 1, 1, 1)]
            size = psutil.Process(stage.cluster.processes.pid("n1")).memory_info().vms
            _, healed = await stage.during(MemoryPressure("n1", headroom_mib=32), "n1", lambda: _say(said, stage, *grown))
            assert said[0] == "done"
            assert said[-1] == "no memory"
            assert healed.acted
            assert f"was allowed {size / 2**20 + 32:.1f} MiB" in healed.text

    asyncio.run(scene())


@pytest.mark.slow
def test_memory_that_was_never_used_up_pressed_no_process(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            said: list[str] = []
            fault = MemoryPressure("n1", headroom_mib=256)
            _, healed = await stage.during(fault, "n1", lambda: _say(said, stage, "/grow?mib=8"))
            assert said == ["done"]
            assert healed.acted is False
            assert healed.text.endswith("its room was not used up")

    asyncio.run(scene())


@pytest.mark.slow
def test_refusals_show_in_the_log_where_the_room_is_not_used_up(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            fault = MemoryPressure("n1", headroom_mib=64)
            _, healed = await stage.during(fault, "n1", lambda: stage.ask("n1", "/log?text=MemoryError"))
            assert healed.acted
            assert healed.text.endswith("1 refusals in its log")

    asyncio.run(scene())


@pytest.mark.slow
def test_node_that_is_down_is_not_pressed(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            kill, killed = Kill("n1"), stage.targets("n1", label="w1")
            injected = await kill.inject(stage.cluster, killed)
            await until(lambda: not stage.cluster.processes.runs("n1"))
            pressure, pressed = MemoryPressure("n1"), stage.targets("n1")
            with pytest.raises(FaultError, match="n1 does not run"):
                await pressure.inject(stage.cluster, pressed)
            await pressure.heal(stage.cluster, pressed, injected)
            await kill.heal(stage.cluster, killed, injected)

    asyncio.run(scene())


@pytest.mark.parametrize("headroom_mib", [-1.0, float("nan"), float("inf")])
def test_headroom_that_makes_no_sense_is_refused(headroom_mib: float) -> None:
    with pytest.raises(UsageError, match="headroom_mib"):
        MemoryPressure("n1", headroom_mib=headroom_mib)
