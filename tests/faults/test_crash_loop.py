"""CrashLoop: it kills a node again and again, each time a new process, but never after the window."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from faults.crash_loop import CrashLoop
from faults.kill import Kill
from harness.cluster.background import Background
from harness.model.environment import Environment
from harness.model.errors import FaultError, UsageError
from harness.model.evidence import Targets
from tests.helpers.subject import Stage, Subject, until


def test_node_is_killed_again_and_again_and_answers_in_the_end(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            _, healed = await stage.during(
                CrashLoop("n1", every_s=0.05), "n1", lambda: until(lambda: stage.kinds("n1").count("killed") >= 3)
            )
            kills, starts = stage.kinds("n1").count("killed"), stage.kinds("n1").count("started") - 1
            assert kills == starts >= 3
            assert healed.acted
            assert healed.text == f"n1 killed {kills}×, started again {starts}×"
            assert "died" not in stage.kinds("n1")
            assert await stage.ask("n1", "/") == "done"
            assert stage.kinds("n1").count("killed") == kills

    asyncio.run(scene())


@pytest.mark.slow
def test_node_killed_only_once_was_in_no_loop(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            _, healed = await stage.during(
                CrashLoop("n1", every_s=60), "n1", lambda: until(lambda: "killed" in stage.kinds("n1"))
            )
            assert healed.acted is False
            assert healed.text.startswith("n1 killed 1×")
            assert stage.cluster.processes.runs("n1")

    asyncio.run(scene())


@pytest.mark.slow
def test_all_targets_crash_each_in_its_own_loop(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Subject(replicas=2)) as stage:
            fault, both = CrashLoop("all", every_s=0.05), stage.targets("n1", "n2")
            injected = await fault.inject(stage.cluster, both)
            await until(lambda: all(stage.kinds(name).count("killed") >= 2 for name in both.nodes))
            healed = await fault.heal(stage.cluster, both, injected)
            assert healed.acted
            assert re.fullmatch(r"n1 killed \d+×, started again \d+×; n2 killed \d+×, started again \d+×", healed.text)

    asyncio.run(scene())


@pytest.mark.slow
def test_window_that_keeps_the_node_down_meanwhile_is_respected(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            loop, kill = CrashLoop("n1", every_s=0.02), Kill("n1")
            looped, killed = stage.targets("n1", label="w0"), stage.targets("n1", label="w1")
            began = await loop.inject(stage.cluster, looped)
            await until(lambda: stage.kinds("n1").count("killed") >= 2)
            injected = None
            while injected is None:
                try:
                    injected = await kill.inject(stage.cluster, killed)
                except FaultError:  # between two lives
                    await asyncio.sleep(0.001)
            starts = stage.kinds("n1").count("started")
            await asyncio.sleep(0.1)
            assert not stage.cluster.processes.runs("n1")
            healed = await loop.heal(stage.cluster, looped, began)
            assert healed.acted
            assert not stage.cluster.processes.runs("n1")
            assert stage.kinds("n1").count("started") == starts
            await kill.heal(stage.cluster, killed, injected)
            assert await stage.ask("n1", "/") == "done"
            assert not {"died", "did not start"} & set(stage.kinds("n1"))

    asyncio.run(scene())


@pytest.mark.slow
def test_heal_after_an_inject_that_failed_leaves_the_node_as_it_is(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            kill, down = Kill("n1"), stage.targets("n1", label="w1")
            injected = await kill.inject(stage.cluster, down)
            loop, looped = CrashLoop("n1"), stage.targets("n1")
            with pytest.raises(FaultError, match="n1 does not run"):
                await loop.inject(stage.cluster, looped)
            await loop.heal(stage.cluster, looped, injected)
            assert not stage.cluster.processes.runs("n1")
            await kill.heal(stage.cluster, down, injected)

    asyncio.run(scene())


class Exiting:
    """A node that ends by itself each time, just before it would be killed."""

    def __init__(self) -> None:
        self.ended = 0

    def pid(self, name: str) -> int:
        return 1

    async def kill(self, name: str, label: str) -> int:
        self.ended += 1
        return 3

    async def restart(self, name: str, label: str) -> int:
        return 1


def test_a_node_that_ends_by_itself_was_not_killed() -> None:
    async def scene() -> None:
        node = Exiting()
        environment = cast(Environment, SimpleNamespace(processes=node, background=Background()))
        fault, targets = CrashLoop("n1", every_s=0.001), Targets(label="w0", nodes=("n1",), links=())
        injected = await fault.inject(environment, targets)
        await until(lambda: node.ended > 2)
        healed = await fault.heal(environment, targets, injected)
        assert healed.acted is False
        assert healed.text.startswith("n1 killed 0×, started again ")

    asyncio.run(scene())


@pytest.mark.parametrize("every_s", [0.0, -0.5, float("nan"), float("inf")])
def test_interval_that_makes_no_sense_is_refused(every_s: float) -> None:
    with pytest.raises(UsageError, match="every_s"):
        CrashLoop("n1", every_s=every_s)
