"""PowerLoss: what was synced stays, what was not is gone, and nothing else is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faults.kill import Kill
from faults.power_loss import PowerLoss, lose_unsynced
from faults.sync_fails import SyncFails
from harness.cluster.node_disks import FileOnDisk
from harness.model.errors import FaultError
from harness.model.evidence import Evidence
from harness.model.seeds import stream
from harness.model.steering import Tracked
from harness.node.control import ALL
from tests.helpers.effort import left_to_ci
from tests.helpers.keeper import Keeper, write
from tests.helpers.subject import Stage


def test_synced_data_stays_and_unsynced_data_is_gone(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper()) as stage:
            await write(stage, "kept.", synced=True)
            await write(stage, "lost", synced=False)
            await stage.ask("n1", "/replace?file=whole&text=whole")
            before = stage.cluster.processes.pid("n1")
            injected, healed = await stage.during(PowerLoss("n1"), "n1", lambda: None)
            assert injected.text == f"n1 pid {before} ended with SIGKILL; n1 lost 4 unsynced bytes of log"
            assert healed.acted
            assert stage.cluster.processes.pid("n1") != before
            assert await stage.ask("n1", "/read?file=log") == "kept."
            assert await stage.ask("n1", "/read?file=whole") == "whole"

    asyncio.run(scene())


def test_nothing_is_lost_of_what_was_synced(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper()) as stage:
            await write(stage, "kept", synced=True)
            injected, _ = await stage.during(PowerLoss("n1"), "n1", lambda: None)
            assert injected.acted
            assert injected.text.endswith("; everything was synced on n1")
            assert await stage.ask("n1", "/read?file=log") == "kept"

    asyncio.run(scene())


def test_a_mere_crash_loses_nothing_and_a_later_power_loss_what_was_never_synced(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper()) as stage:
            await write(stage, "one.", synced=True)
            await write(stage, "two.", synced=False)
            await stage.during(Kill("n1"), "n1", lambda: None)
            assert await stage.ask("n1", "/read?file=log") == "one.two."
            await write(stage, "three", synced=False)
            await stage.during(PowerLoss("n1"), "n1", lambda: None)
            assert await stage.ask("n1", "/read?file=log") == "one."

    asyncio.run(scene())


@pytest.mark.slow
def test_a_sync_after_a_crash_covers_what_was_written_before_it(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper()) as stage:
            await write(stage, "written", synced=False)
            await stage.during(Kill("n1"), "n1", lambda: None)
            await stage.ask("n1", "/sync?file=log")
            await stage.during(PowerLoss("n1"), "n1", lambda: None)
            assert await stage.ask("n1", "/read?file=log") == "written"

    asyncio.run(scene())


@pytest.mark.slow
def test_what_a_failed_sync_dropped_is_zeros_though_a_later_sync_succeeded(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper()) as stage:
            await write(stage, "good", synced=True)

            async def fail() -> None:
                assert await write(stage, "gone", synced=True) == "EIO"
                assert await stage.ask("n1", "/sync?file=log") == "done"

            await stage.during(SyncFails("n1"), "n1", fail)
            assert await write(stage, "good", synced=True) == "done"
            assert await stage.ask("n1", "/read?file=log") == "goodgonegood"
            injected, _ = await stage.during(PowerLoss("n1"), "n1", lambda: None)
            assert "n1 lost 4 unsynced bytes of log" in injected.text
            assert await stage.ask("n1", "/read?file=log") == "good\0\0\0\0good"

    asyncio.run(scene())


@pytest.mark.slow
def test_window_that_keeps_the_node_down_meanwhile_is_respected(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper()) as stage:
            power, kill = PowerLoss("n1"), Kill("n1")
            targets, others = stage.targets("n1", label="w0"), stage.targets("n1", label="w1")
            killed = await kill.inject(stage.cluster, others)
            with pytest.raises(FaultError, match="n1 does not run"):
                await power.inject(stage.cluster, targets)
            await power.heal(stage.cluster, targets, Evidence(acted=False, text=""))
            assert not stage.cluster.processes.runs("n1")
            await kill.heal(stage.cluster, others, killed)
            assert await stage.ask("n1", "/read?file=log") == "nothing"

    asyncio.run(scene())


@pytest.mark.slow
def test_foreign_program_keeps_running_and_the_fault_says_why_it_cannot_act(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper(foreign=True)) as stage:
            with pytest.raises(FaultError, match="n1 is a foreign program"):
                await PowerLoss("n1").inject(stage.cluster, stage.targets("n1"))
            assert stage.cluster.processes.runs("n1")

    asyncio.run(scene())


@pytest.mark.slow
def test_node_with_files_that_cannot_be_followed_keeps_running(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper()) as stage:
            await write(stage, "text", synced=True, file="f" * 200)
            before = stage.cluster.processes.pid("n1")
            with pytest.raises(FaultError, match="files with longer names, than can be tracked \\(1 too many\\)"):
                await PowerLoss("n1").inject(stage.cluster, stage.targets("n1"))
            assert stage.cluster.processes.pid("n1") == before
            assert stage.kinds("n1") == ["started"]

    asyncio.run(scene())


@pytest.mark.slow
def test_hundreds_of_files_are_followed(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper()) as stage:
            for number in range(200):
                await write(stage, "lost", synced=False, file=f"f{number}")
            injected, _ = await stage.during(PowerLoss("n1"), "n1", lambda: None)
            assert injected.readings == {"n1 lost_bytes": 800.0}
            assert {path.stat().st_size for path in stage.cluster.disks.folder("n1").iterdir()} == {0}

    asyncio.run(scene())


@given(data=st.binary(max_size=40), synced=st.integers(0, 50), seed=st.integers(0, 99))
def test_torn_file_keeps_what_was_synced_and_a_beginning_of_the_rest(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, synced: int, seed: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "torn"
    path.write_bytes(data)
    lost = lose_unsynced(FileOnDisk(path), Tracked(name="torn", synced_bytes=synced, holes=()), stream(seed, "torn"))
    left = path.read_bytes()
    assert data.startswith(left)
    assert len(left) >= min(synced, len(data))
    assert lost == len(data) - len(left)


@pytest.mark.parametrize(("synced", "acted"), [(True, False), left_to_ci(False, True)])
def test_a_torn_one_that_finds_everything_synced_has_torn_nothing(tmp_path: Path, synced: bool, acted: bool) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper()) as stage:
            await write(stage, "kept", synced=synced)
            injected, healed = await stage.during(PowerLoss("n1", torn=True), "n1", lambda: None)
            assert (injected.acted, healed.acted) == (acted, acted)
            assert stage.cluster.processes.runs("n1")

    asyncio.run(scene())


def test_a_torn_file_always_loses_something(tmp_path: Path) -> None:
    for seed in range(50):
        (tmp_path / "f").write_bytes(b"ab")
        assert lose_unsynced(FileOnDisk(tmp_path / "f"), Tracked(name="f", synced_bytes=1, holes=()), stream(seed, "torn")) == 1


def test_torn_differs_by_seed_and_repeats_with_it(tmp_path: Path) -> None:
    def left(seed: int) -> int:
        (tmp_path / "f").write_bytes(bytes(1000))
        lose_unsynced(FileOnDisk(tmp_path / "f"), Tracked(name="f", synced_bytes=10, holes=()), stream(seed, "torn"))
        return (tmp_path / "f").stat().st_size

    sizes = [left(seed) for seed in range(20)]
    assert sizes == [left(seed) for seed in range(20)]
    assert len(set(sizes)) > 10


@pytest.mark.parametrize(
    ("synced", "holes", "left"),
    [
        (8, (), b"abcdefgh"),
        (ALL, (), b"abcdefghij"),
        (8, ((6, 8),), b"abcdef"),
        (10, ((0, 2), (4, 6)), b"\0\0cd\0\0ghij"),
        (20, ((8, 20),), b"abcdefgh"),
        (10, ((12, 14),), b"abcdefghij"),
    ],
)
def test_holes_are_zeros_and_at_the_end_nothing(
    tmp_path: Path, synced: int, holes: tuple[tuple[int, int], ...], left: bytes
) -> None:
    (tmp_path / "f").write_bytes(b"abcdefghij")
    lost = lose_unsynced(FileOnDisk(tmp_path / "f"), Tracked(name="f", synced_bytes=synced, holes=holes))
    assert (tmp_path / "f").read_bytes() == left
    assert lost == 10 - len(left.replace(b"\0", b""))


def test_file_that_is_gone_has_nothing_to_lose(tmp_path: Path) -> None:
    assert lose_unsynced(FileOnDisk(tmp_path / "gone"), Tracked(name="gone", synced_bytes=3, holes=())) == 0
