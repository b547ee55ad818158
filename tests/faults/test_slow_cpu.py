"""SlowCpu: a node that would use a whole CPU gets its share, and the machine is as before afterwards."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import psutil
import pytest

from faults.kill import Kill
from faults.pause import Pause
from faults.slow_cpu import SlowCpu
from harness.cluster import cgroups
from harness.model.errors import FaultError, UsageError
from tests.helpers.engine import harness_running, nothing_left, write_drill
from tests.helpers.engine import until as until_true
from tests.helpers.subject import Stage, Subject, until


def _groups(harness: int | None = None) -> list[Path]:
    """All control groups that this harness, or another one, has created."""
    prefix = f"{cgroups.PREFIX}-{harness or os.getpid()}-"
    walk = os.walk("/sys/fs/cgroup")  # which, unlike `Path.glob`, takes no offence at a group that goes meanwhile
    return [Path(at, name) for at, names, _ in walk for name in names if name.startswith(prefix)]


@pytest.fixture
def control_groups() -> None:
    try:
        hierarchy = cgroups.cpu_hierarchy()
    except OSError as error:
        pytest.skip(f"no control groups here: {error}")
    if not os.access(hierarchy.mount, os.W_OK):
        pytest.skip("making control groups takes root here")


@pytest.fixture
def no_control_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> cgroups.Hierarchy:
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(cgroups, "cpu_hierarchy", refuse)


def _used_s(stage: Stage, name: str) -> float:
    times = psutil.Process(stage.cluster.processes.pid(name)).cpu_times()
    return times.user + times.system


async def _until_throttled(stage: Stage, name: str) -> None:
    """Wait until a slowed node has used up its share once more and had to wait."""
    processes = stage.cluster.processes
    pid = processes.pid(name)
    before = processes.throttled(name, pid)
    await until(lambda: processes.throttled(name, pid) > before)


@pytest.mark.usefixtures("control_groups")
def test_busy_node_gets_its_share_by_a_control_group(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            await stage.ask("n1", "/spin")
            loop, used_s = asyncio.get_running_loop(), _used_s(stage, "n1")
            began_s = loop.time()
            fault, targets = SlowCpu("n1", share=0.1), stage.targets("n1")
            injected = await fault.inject(stage.cluster, targets)
            (group,) = _groups()
            await until(lambda: loop.time() > began_s + 1)
            share = (_used_s(stage, "n1") - used_s) / (loop.time() - began_s)
            assert await stage.ask("n1", "/") == "done"
            healed = await fault.heal(stage.cluster, targets, injected)
            assert share < 0.2
            assert healed.acted
            assert "throttled" in healed.text
            assert "% of a CPU" in healed.text
            assert not group.exists()
            assert cgroups.cpu_hierarchy().home(stage.cluster.processes.pid("n1")) == cgroups.cpu_hierarchy().home(os.getpid())

    asyncio.run(scene())


@pytest.mark.slow
@pytest.mark.usefixtures("control_groups")
def test_idle_node_never_wants_more_than_its_share(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            _, healed = await stage.during(SlowCpu("n1", share=0.5), "n1", lambda: asyncio.sleep(0.1))
            assert healed.acted is False
            assert healed.text.endswith("never wanted more than its share")

    asyncio.run(scene())


@pytest.mark.slow
@pytest.mark.usefixtures("control_groups")
def test_of_overlapping_windows_the_least_share_holds_and_the_last_one_to_go_restores(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            await stage.ask("n1", "/spin")
            first, second = stage.targets("n1", label="w0"), stage.targets("n1", label="w1")
            slow, slower = SlowCpu("n1", share=0.5), SlowCpu("n1", share=0.1)
            began = await slow.inject(stage.cluster, first)
            (group,) = _groups()
            quota = group / ("cpu.max" if cgroups.cpu_hierarchy().version == 2 else "cpu.cfs_quota_us")
            assert quota.read_text().split()[0] == "5000"
            began_too = await slower.inject(stage.cluster, second)
            assert quota.read_text().split()[0] == "1000"
            await slow.heal(stage.cluster, first, began)
            assert quota.read_text().split()[0] == "1000"
            await slower.heal(stage.cluster, second, began_too)
            assert not _groups()

    asyncio.run(scene())


@pytest.mark.slow
@pytest.mark.usefixtures("control_groups")
def test_node_killed_meanwhile_comes_back_at_full_speed_and_leaves_no_group(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            await stage.ask("n1", "/spin")
            slow, kill = SlowCpu("n1"), Kill("n1")
            slowed, killed = stage.targets("n1", label="w0"), stage.targets("n1", label="w1")
            began = await slow.inject(stage.cluster, slowed)
            await _until_throttled(stage, "n1")
            await kill.heal(stage.cluster, killed, await kill.inject(stage.cluster, killed))
            healed = await slow.heal(stage.cluster, slowed, began)
            assert healed.acted
            assert "slowed until it was killed" in healed.text
            assert not _groups()

    asyncio.run(scene())


@pytest.mark.slow
@pytest.mark.usefixtures("control_groups")
def test_a_window_on_a_killed_process_is_judged_by_that_process_though_another_is_slowed_by_now(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            await stage.ask("n1", "/spin")
            slow, kill = SlowCpu("n1"), Kill("n1")
            first, killed, second = (stage.targets("n1", label=f"w{number}") for number in range(3))
            began = await slow.inject(stage.cluster, first)
            await _until_throttled(stage, "n1")
            await kill.heal(stage.cluster, killed, await kill.inject(stage.cluster, killed))
            again = await slow.heal(stage.cluster, second, await slow.inject(stage.cluster, second))
            assert again.text.endswith("never wanted more than its share")
            healed = await slow.heal(stage.cluster, first, began)
            assert healed.acted
            assert "slowed until it was killed" in healed.text
            assert not _groups()

    asyncio.run(scene())


@pytest.mark.slow
@pytest.mark.usefixtures("control_groups")
def test_the_group_goes_with_the_run_if_nothing_was_healed(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            await SlowCpu("n1").inject(stage.cluster, stage.targets("n1"))
            assert _groups()
        assert not _groups()

    asyncio.run(scene())


@pytest.mark.slow
@pytest.mark.usefixtures("control_groups")
def test_group_goes_also_when_the_harness_is_killed(tmp_path: Path) -> None:
    write_drill(
        tmp_path,
        "slow",
        "from faults.slow_cpu import SlowCpu\n"
        "drill = Drill(system=Echo(), workload=Numbers(), load=Load(rate=20, seconds=60),"
        "faults=[SlowCpu('n1').between(0, 59)])",
    )
    with harness_running(tmp_path, "drill", "slow") as process:
        until_true(lambda: _groups(process.pid))
        process.kill()
        until_true(lambda: not _groups(process.pid) and nothing_left(tmp_path))


@pytest.mark.usefixtures("no_control_groups")
def test_signals_slow_a_node_where_control_groups_are_not_allowed(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            await stage.ask("n1", "/spin")
            _, healed = await stage.during(
                SlowCpu("n1", share=0.1), "n1", lambda: until(lambda: stage.kinds("n1").count("signalled") > 20)
            )
            assert healed.acted
            assert "by signals (no control group: Permission denied)" in healed.text
            await until(lambda: stage.cluster.processes.state("n1") != "stopped")
            assert await stage.ask("n1", "/") == "done"

    asyncio.run(scene())


@pytest.mark.slow
@pytest.mark.usefixtures("no_control_groups")
def test_signals_do_not_wake_a_node_that_is_paused(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            slow, pause = SlowCpu("n1", share=0.5), Pause("n1")
            slowed, paused = stage.targets("n1", label="w0"), stage.targets("n1", label="w1")
            began = await slow.inject(stage.cluster, slowed)
            stopped = await pause.inject(stage.cluster, paused)
            signals = stage.kinds("n1").count("signalled")
            await until(lambda: stage.kinds("n1").count("signalled") > signals + 3)
            assert stage.cluster.processes.state("n1") == "stopped"
            await slow.heal(stage.cluster, slowed, began)
            assert stage.cluster.processes.state("n1") == "stopped"
            assert (await pause.heal(stage.cluster, paused, stopped)).acted
            assert await stage.ask("n1", "/") == "done"

    asyncio.run(scene())


@pytest.mark.slow
def test_node_that_is_down_is_not_slowed(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Subject(replicas=2)) as stage:
            kill, killed = Kill("n2"), stage.targets("n2", label="w1")
            injected = await kill.inject(stage.cluster, killed)
            slow, both = SlowCpu("all"), stage.targets("n1", "n2")
            with pytest.raises(FaultError, match="n2 does not run"):
                await slow.inject(stage.cluster, both)
            await slow.heal(stage.cluster, both, injected)
            assert not _groups()
            await kill.heal(stage.cluster, killed, injected)

    asyncio.run(scene())


@pytest.mark.parametrize("share", [0.0, 0.009, 1.0, -1.0, float("nan")])
def test_share_that_makes_no_sense_is_refused(share: float) -> None:
    with pytest.raises(UsageError, match="share"):
        SlowCpu("n1", share=share)
