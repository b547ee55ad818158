"""FlipBits: it flips exactly the given number of bits in exactly these files, the same for a seed, and they stay flipped."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faults.flip_bits import FlipBits, flip
from faults.kill import Kill
from harness.cluster.node_disks import FileOnDisk
from harness.model.errors import FaultError, UsageError
from tests.helpers.keeper import Keeper, write
from tests.helpers.subject import Stage


def _different_bits(one: bytes, other: bytes) -> int:
    assert len(one) == len(other)
    return sum((a ^ b).bit_count() for a, b in zip(one, other, strict=True))


def test_running_node_reads_what_was_flipped_and_the_evidence_names_each_byte(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper()) as stage:
            await write(stage, "abcdefgh", synced=True)
            await stage.ask("n1", "/replace?file=other&text=abcdefgh")
            injected, healed = await stage.during(FlipBits("n1", file="lo*", bits=3), "n1", lambda: None)
            found = (await stage.ask("n1", "/read?file=log")).encode("latin-1")
            assert _different_bits(b"abcdefgh", found) == 3
            for reading, after in injected.readings.items():
                assert found[int(reading.removeprefix("n1 log byte "))] == after
            assert f"became {found[0]:#04x}" in injected.text or found[0] == ord("a")
            assert healed.text.endswith(
                f"{len(injected.readings)} of {len(injected.readings)} bytes were still damaged at the end"
            )
            assert await stage.ask("n1", "/read?file=other") == "abcdefgh"

    asyncio.run(scene())


@pytest.mark.slow
def test_damage_that_the_node_wrote_over_is_seen_to_be_gone(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper()) as stage:
            await stage.ask("n1", "/replace?file=f&text=abcdefgh")
            _, healed = await stage.during(
                FlipBits("n1", file="f"), "n1", lambda: stage.ask("n1", "/replace?file=f&text=abcdefgh")
            )
            assert healed.acted
            assert healed.text.endswith("0 of 1 bytes were still damaged at the end")

    asyncio.run(scene())


@pytest.mark.slow
def test_node_that_is_down_and_a_foreign_program_are_hit_as_well(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper(foreign=True)) as stage:
            (stage.cluster.disks.folder("n1") / "f").write_bytes(b"abcd")
            kill, others = Kill("n1"), stage.targets("n1", label="w1")
            killed = await kill.inject(stage.cluster, others)
            injected, _ = await stage.during(FlipBits("n1"), "n1", lambda: None)
            assert injected.acted
            assert _different_bits(b"abcd", (stage.cluster.disks.folder("n1") / "f").read_bytes()) == 1
            await kill.heal(stage.cluster, others, killed)

    asyncio.run(scene())


def test_nothing_to_flip_is_said_with_what_there_is(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper()) as stage:
            with pytest.raises(FaultError, match=r"n1 has fewer than 1 bits in files that match '\*\.wal'; it has no file"):
                await FlipBits("n1", file="*.wal").inject(stage.cluster, stage.targets("n1"))
            await stage.ask("n1", "/replace?file=f&text=a")
            with pytest.raises(FaultError, match=r"it has f$"):
                await FlipBits("n1", bits=9).inject(stage.cluster, stage.targets("n1"))
            assert await stage.ask("n1", "/read?file=f") == "a"

    asyncio.run(scene())


@pytest.mark.slow
def test_same_seed_and_window_flip_the_same_bits(tmp_path: Path) -> None:
    async def scene(folder: Path, label: str) -> str:
        async with Stage.opened(folder, Keeper()) as stage:
            await write(stage, "x" * 200, synced=True)
            return (await FlipBits("n1", bits=3).inject(stage.cluster, stage.targets("n1", label=label))).text

    texts = [asyncio.run(scene(tmp_path / str(number), label)) for number, label in enumerate(["w0", "w0", "w1"])]
    assert texts[0] == texts[1] != texts[2]


@given(data=st.binary(min_size=1, max_size=20), where=st.data())
def test_flip_changes_one_bit_and_twice_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, where: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "flipped"
    path.write_bytes(data)
    bit = where.draw(st.integers(0, 8 * len(data) - 1))
    [(offset, before, after)] = flip(FileOnDisk(path), [bit])
    assert (offset, data[offset], before ^ after) == (bit // 8, before, 1 << bit % 8)
    assert _different_bits(data, path.read_bytes()) == 1
    flip(FileOnDisk(path), [bit])
    assert path.read_bytes() == data


def test_file_that_is_gone_or_too_short_is_a_fault_that_did_not_act(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"a")
    with pytest.raises(FaultError, match="shorter"):
        flip(FileOnDisk(tmp_path / "short"), [8])
    with pytest.raises(FaultError, match="gone cannot be damaged: No such file"):
        flip(FileOnDisk(tmp_path / "gone"), [0])


@pytest.mark.parametrize(("file", "bits"), [("*", 0), ("*", -1), ("", 1), ("/etc/passwd", 1), ("../n2/*", 1)])
def test_what_makes_no_sense_is_refused(file: str, bits: int) -> None:
    with pytest.raises(UsageError, match="FlipBits"):
        FlipBits("n1", file=file, bits=bits)
