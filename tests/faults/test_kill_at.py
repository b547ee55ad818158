"""KillAt: a node dies at the n-th log line of a kind, and at no other."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from faults.kill import Kill
from faults.kill_at import KillAt
from harness.model.errors import UsageError
from tests.helpers.subject import Stage, Subject, until


async def _log(stage: Stage, name: str, *texts: str) -> None:
    for text in texts:
        await stage.ask(name, f"/log?text={text}")


def test_node_dies_at_the_nth_occurrence(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            await _log(stage, "n1", "commit")  # before the window: does not count
            before = stage.cluster.processes.pid("n1")
            fault, targets = KillAt("n1", "comm.t$", occurrence=2), stage.targets("n1")
            injected = await fault.inject(stage.cluster, targets)
            await _log(stage, "n1", "commit", "committed", "abort")
            assert stage.cluster.processes.pid("n1") == before
            asking = asyncio.create_task(stage.ask("n1", "/log?text=commit"))
            await until(lambda: not stage.cluster.processes.runs("n1"))
            await asyncio.gather(asking, return_exceptions=True)
            healed = await fault.heal(stage.cluster, targets, injected)
            assert healed.acted
            how = rf"n1 pid {before} ended with SIGKILL at '.*n1: commit'; n1 started again as pid \d+"
            assert re.fullmatch(how, healed.text), healed.text
            assert "died" not in stage.kinds("n1")
            assert await stage.ask("n1", "/") == "done"

    asyncio.run(scene())


@pytest.mark.slow
def test_an_event_that_occurs_too_seldom_kills_no_node(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            before = stage.cluster.processes.pid("n1")
            _, healed = await stage.during(
                KillAt("n1", "commit", occurrence=3), "n1", lambda: _log(stage, "n1", "commit", "commit")
            )
            assert healed.acted is False
            assert healed.text == "n1 logged 'commit' 2 times, not 3"
            assert stage.cluster.processes.pid("n1") == before

    asyncio.run(scene())


@pytest.mark.slow
def test_each_target_dies_at_its_own_event(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Subject(replicas=2)) as stage:
            fault, targets = KillAt("all", "commit"), stage.targets("n1", "n2")
            injected = await fault.inject(stage.cluster, targets)
            asking = asyncio.create_task(stage.ask("n1", "/log?text=commit"))
            await until(lambda: not stage.cluster.processes.runs("n1"))
            await asyncio.gather(asking, return_exceptions=True)
            healed = await fault.heal(stage.cluster, targets, injected)
            assert healed.acted is False  # not all of them
            assert "n1 pid" in healed.text
            assert "n2 logged 'commit' 0 times, not 1" in healed.text
            assert stage.cluster.processes.runs("n1")

    asyncio.run(scene())


@pytest.mark.slow
def test_node_that_comes_back_from_another_fault_is_killed_as_it_starts(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            kill, at = Kill("n1"), KillAt("n1", "listening on")
            first, second = stage.targets("n1", label="w0"), stage.targets("n1", label="w1")
            killed = await kill.inject(stage.cluster, first)
            awaited = await at.inject(stage.cluster, second)
            healed = await kill.heal(stage.cluster, first, killed)
            assert healed.acted
            await until(lambda: not stage.cluster.processes.runs("n1"))
            struck = await at.heal(stage.cluster, second, awaited)
            assert struck.acted
            assert await stage.ask("n1", "/") == "done"
            assert not {"died", "did not start"} & set(stage.kinds("n1"))

    asyncio.run(scene())


@pytest.mark.slow
def test_nothing_is_left_of_a_run_that_is_broken_off(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            await KillAt("n1", "never").inject(stage.cluster, stage.targets("n1"))
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(scene())


def test_pattern_or_number_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="not a regular expression"):
        KillAt("n1", "(")
    with pytest.raises(UsageError, match="occurrence=0"):
        KillAt("n1", "x", occurrence=0)
