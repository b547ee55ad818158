"""Restart: a process ends when asked to, and comes back; a process that does not end is killed."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from faults.kill import Kill
from faults.restart import Restart
from harness.model.errors import FaultError, UsageError
from harness.model.evidence import Evidence
from tests.helpers.subject import Stage, Subject, until


def test_node_ends_by_itself_and_a_new_process_answers(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            before = stage.cluster.processes.pid("n1")
            injected, healed = await stage.during(Restart("n1"), "n1", lambda: _is_down(stage))
            assert injected.acted
            assert injected.text == f"n1 pid {before} ended with exit code 0"
            assert healed.acted
            after = stage.cluster.processes.pid("n1")
            assert after != before
            assert healed.text.endswith(f"n1 started again as pid {after}")
            assert await stage.ask("n1", "/") == "done"

    asyncio.run(scene())


def _is_down(stage: Stage) -> None:
    assert not stage.cluster.processes.runs("n1")


def test_stubborn_node_is_killed_when_its_grace_is_over(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Subject(stubborn=True)) as stage:
            _, healed = await stage.during(Restart("n1", grace_s=0.1), "n1", lambda: None)
            assert re.search(r"ended with SIGKILL; n1 started again", healed.text), healed.text
            assert "I would rather not" in (tmp_path / "nodes" / "n1.log").read_text()

    asyncio.run(scene())


def test_restart_of_a_node_that_is_down_does_not_act(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            kill, killed = Kill("n1"), stage.targets("n1", label="w0")
            injected = await kill.inject(stage.cluster, killed)
            with pytest.raises(FaultError, match="n1 does not run"):
                await Restart("n1").inject(stage.cluster, stage.targets("n1", label="w1"))
            await kill.heal(stage.cluster, killed, injected)
            assert stage.cluster.processes.runs("n1")

    asyncio.run(scene())


@pytest.mark.slow
def test_kill_that_overlaps_keeps_the_node_down_until_both_are_over(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Subject(stubborn=True)) as stage:
            restart, kill = Restart("n1", grace_s=60), Kill("n1")
            ending = asyncio.create_task(restart.inject(stage.cluster, stage.targets("n1", label="w0")))
            await until(lambda: "signalled" in stage.kinds("n1"))
            killed = await kill.inject(stage.cluster, stage.targets("n1", label="w1"))
            assert killed.acted
            injected = await ending
            await restart.heal(stage.cluster, stage.targets("n1", label="w0"), injected)
            assert not stage.cluster.processes.runs("n1")
            await kill.heal(stage.cluster, stage.targets("n1", label="w1"), killed)
            assert stage.cluster.processes.runs("n1")
            assert "died" not in stage.kinds("n1")

    asyncio.run(scene())


@pytest.mark.slow
def test_node_is_back_also_where_the_restart_is_broken_off(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Subject(stubborn=True)) as stage:
            fault, targets = Restart("n1", grace_s=60), stage.targets("n1")
            ending = asyncio.create_task(fault.inject(stage.cluster, targets))
            await until(lambda: "signalled" in stage.kinds("n1"))
            ending.cancel()
            await asyncio.wait([ending])
            await until(lambda: not stage.cluster.processes.runs("n1"))
            await fault.heal(stage.cluster, targets, Evidence(acted=False, text=""))
            assert await stage.ask("n1", "/") == "done"

    asyncio.run(scene())


@pytest.mark.parametrize("grace_s", [0.0, -1.0, float("nan"), float("inf")])
def test_grace_that_makes_no_sense_is_refused(grace_s: float) -> None:
    with pytest.raises(UsageError, match="grace_s"):
        Restart("n1", grace_s=grace_s)
