"""SyncFails, DiskFull, SlowDisk: file operations fail or wait, as often as the evidence says, and not after the fault."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from faults.clock_drift import ClockDrift
from faults.clock_jump import ClockJump
from faults.clock_skew import ClockSkew
from faults.disk_full import DiskFull
from faults.flip_bits import FlipBits
from faults.kill import Kill
from faults.power_loss import PowerLoss
from faults.slow_disk import SlowDisk
from faults.sync_fails import SyncFails
from harness.model.drill import Drill
from harness.model.errors import FaultError, UsageError
from harness.model.evidence import Evidence
from harness.model.fault import Fault
from harness.model.load import Load
from tests.helpers.echo import Numbers
from tests.helpers.effort import left_to_ci
from tests.helpers.keeper import Keeper, write
from tests.helpers.subject import Stage


def test_sync_fails_while_the_window_lasts(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper()) as stage:

            async def doing() -> None:
                assert await write(stage, "a", synced=False) == "done"
                assert await stage.ask("n1", "/sync?file=log") == "EIO"
                assert await stage.ask("n1", "/replace?file=whole&text=b") == "EIO"
                assert await stage.ask("n1", "/read?file=whole") == "nothing"
                assert await stage.ask("n1", "/read?file=log") == "a"

            assert await write(stage, "", synced=True) == "done"
            injected, healed = await stage.during(SyncFails("n1"), "n1", doing)
            assert injected.acted is None
            assert (healed.acted, healed.text) == (True, "n1: 2 syncs failed with EIO")
            assert await write(stage, "c", synced=True) == "done"

    asyncio.run(scene())


def test_full_disk_takes_nothing_and_leaves_no_half_written_record(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper()) as stage:

            async def doing() -> None:
                assert await write(stage, "two", synced=True) == "ENOSPC"
                assert await stage.ask("n1", "/replace?file=whole&text=two") == "ENOSPC"
                assert await stage.ask("n1", "/read?file=log") == "one."
                assert await stage.ask("n1", "/read?file=whole") == "old"

            await write(stage, "one.", synced=True)
            await stage.ask("n1", "/replace?file=whole&text=old")
            _, healed = await stage.during(DiskFull("n1"), "n1", doing)
            assert (healed.acted, healed.text) == (True, "n1: 2 writes refused with ENOSPC")
            assert await write(stage, "three", synced=True) == "done"
            assert await stage.ask("n1", "/read?file=log") == "one.three"

    asyncio.run(scene())


@pytest.mark.slow
def test_nearly_full_disk_takes_the_end_of_a_file_and_none_that_is_to_replace_another(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper()) as stage:

            async def doing() -> None:
                assert await write(stage, "two", synced=True) == "done"
                assert await stage.ask("n1", "/replace?file=log&text=two") == "ENOSPC"
                assert await stage.ask("n1", "/read?file=log") == "one.two"

            await write(stage, "one.", synced=True)
            _, healed = await stage.during(DiskFull("n1", nearly=True), "n1", doing)
            assert (healed.acted, healed.text) == (True, "n1: 1 writes refused with ENOSPC")
            assert await stage.ask("n1", "/replace?file=log&text=two") == "done"

    asyncio.run(scene())


def test_slow_disk_delays_each_read_and_sync_and_no_write(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper()) as stage:

            async def doing() -> None:
                begun = time.monotonic()
                await write(stage, "a", synced=True)
                await stage.ask("n1", "/read?file=log")
                assert time.monotonic() - begun >= 0.06

            await write(stage, "", synced=True)
            _, healed = await stage.during(SlowDisk("n1", delay_ms=30), "n1", doing)
            assert (healed.acted, healed.text) == (True, "n1: 2 reads and syncs delayed by 30 ms")

    asyncio.run(scene())


ONE_OF_ALL = [SyncFails("n1"), *map(left_to_ci, (DiskFull("n1"), SlowDisk("n1")))]


@pytest.mark.parametrize("fault", ONE_OF_ALL)
def test_a_fault_of_an_unused_disk_did_not_act(tmp_path: Path, fault: Fault) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper()) as stage:
            await write(stage, "a", synced=True)
            _, healed = await stage.during(fault, "n1", lambda: None)
            assert healed.acted is False
            assert healed.text.startswith("n1: 0 ")

    asyncio.run(scene())


@pytest.mark.slow
def test_windows_that_overlap_hold_the_fault_until_the_last_ends(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper()) as stage:
            fault, cluster = SyncFails("n1"), stage.cluster
            first, second = stage.targets("n1", label="w0"), stage.targets("n1", label="w1")
            began = await fault.inject(cluster, first)
            assert await write(stage, "a", synced=True) == "EIO"
            began_too = await fault.inject(cluster, second)
            assert (await fault.heal(cluster, first, began)).acted
            assert await write(stage, "b", synced=True) == "EIO"
            healed = await fault.heal(cluster, second, began_too)
            assert healed.text == "n1: 1 syncs failed with EIO"
            assert await write(stage, "c", synced=True) == "done"

    asyncio.run(scene())


@pytest.mark.slow
def test_fault_stays_with_the_node_over_its_restart(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper()) as stage:

            async def doing() -> None:
                kill, others = Kill("n1"), stage.targets("n1", label="w1")
                await kill.heal(stage.cluster, others, await kill.inject(stage.cluster, others))
                assert await write(stage, "a", synced=True) == "ENOSPC"

            _, healed = await stage.during(DiskFull("n1"), "n1", doing)
            assert healed.acted
            assert await write(stage, "b", synced=True) == "done"

    asyncio.run(scene())


@pytest.mark.slow
def test_other_nodes_are_untouched(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper(replicas=2)) as stage:

            async def doing() -> None:
                assert await stage.ask("n2", "/replace?file=f&text=a") == "done"
                assert await stage.ask("n1", "/replace?file=f&text=a") == "ENOSPC"

            await stage.during(DiskFull("n1"), "n1", doing)

    asyncio.run(scene())


@pytest.mark.parametrize("fault", ONE_OF_ALL)
def test_foreign_program_is_out_of_reach(tmp_path: Path, fault: Fault) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper(foreign=True)) as stage:
            with pytest.raises(FaultError, match="n1 is a foreign program"):
                await fault.inject(stage.cluster, stage.targets("n1"))
            with pytest.raises(FaultError, match="foreign program"):
                await fault.heal(stage.cluster, stage.targets("n1"), Evidence(acted=False, text=""))

    asyncio.run(scene())


_STEERING = [PowerLoss, SyncFails, DiskFull, SlowDisk, ClockSkew, ClockJump, ClockDrift]


@pytest.mark.parametrize("target", ["n1", "one", "all"])
@pytest.mark.parametrize("kind", _STEERING)
def test_drill_that_aims_at_a_foreign_program_is_refused(kind: Callable[[str], Fault], target: str) -> None:
    with pytest.raises(UsageError, match="n1 is a foreign program"):
        _drill(Keeper(foreign=True), kind(target))


@pytest.mark.parametrize("kind", _STEERING)
def test_drill_that_aims_at_a_node_with_code_is_fine(kind: Callable[[str], Fault]) -> None:
    assert _drill(Keeper(), kind("one")).faults


def test_bits_of_foreign_programs_files_can_be_flipped() -> None:
    assert _drill(Keeper(foreign=True), FlipBits("n1")).faults


def _drill(system: Keeper, fault: Fault) -> Drill:
    return Drill(system=system, workload=Numbers(), load=Load(rate=10, seconds=2), faults=[fault.between(0, 1)])


@pytest.mark.parametrize("delay_ms", [0.0, -1.0, float("nan"), float("inf"), 1e6])
def test_delay_that_makes_no_sense_is_refused(delay_ms: float) -> None:
    with pytest.raises(UsageError, match="delay_ms"):
        SlowDisk("n1", delay_ms=delay_ms)
