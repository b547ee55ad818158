"""Checkpoints: what is loaded is what was saved, even if the disk was damaged in between."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
import torch

from harness.node.crashpoints import MemoryFiles, crash_points
from harness.node.disk import Disk
from systems.parts.checkpoint.manifest import Manifest, Shard, Withdrawn, encode
from systems.parts.checkpoint.refusals import NoValidCheckpoint, OtherJob, StillNeeded, TooLate
from systems.parts.checkpoint.store import Schedule, digest_of, part_of, withdraw
from tests.helpers.checkpoints import (
    IDENTITY,
    SCHEDULE,
    commit,
    content,
    damage,
    in_memory,
    loaded,
    opened,
    save,
    state_at,
    uncommitted,
    write,
)

AFTER_10 = Withdrawn(generation=1, step=10)


def manifest_of(disk: Disk, step: int, shards: Sequence[Shard], generation: int = 1) -> None:
    """Write a manifest without looking."""
    progress = msgspec.Raw(msgspec.json.encode({"ledger": step * IDENTITY.batch}))
    manifest = Manifest(identity=IDENTITY, step=step, shards=tuple(shards), progress=progress, generation=generation)
    disk.replace(f"{SCHEDULE.slot(step)}coordinator.json", encode(manifest))


@pytest.mark.parametrize("world", [1, 2, 3, 7])
def test_resumes_with_what_was_saved_whatever_the_number_of_ranks(tmp_path: Path, world: int) -> None:
    save(opened(Disk(tmp_path)), 10, world)
    assert loaded(Disk(tmp_path)) == 10


def test_there_is_nothing_at_first(tmp_path: Path) -> None:
    assert opened(Disk(tmp_path)).newest() is None


def test_every_tensor_is_one_ranks_and_the_parts_are_alike() -> None:
    tensors = {f"layer{number}": torch.zeros(number + 1) for number in range(40)}
    parts = [part_of(tensors, rank, 3) for rank in range(3)]
    assert sorted(name for part in parts for name in part) == sorted(tensors)
    sizes = [sum(tensor.nbytes for tensor in part.values()) for part in parts]
    assert max(sizes) - min(sizes) <= 40 * 4


def test_the_last_ones_are_kept_and_no_more(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    for step in range(10, 101, 10):
        save(opened(disk), step)
    assert loaded(disk) == 100
    assert len([name for name in disk.names() if name.endswith(".json")]) == SCHEDULE.keep + 1
    for step in (100, 90, 80):
        assert loaded(disk) == step
        (tmp_path / f"{SCHEDULE.slot(step)}coordinator.json").unlink()


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_checkpoints_that_are_never_completed_leave_the_last_complete_one(keep: int) -> None:
    disk, schedule = in_memory({}), Schedule(every=10, keep=keep)
    for step in (10, 20, 30, 40):
        save(opened(disk, schedule=schedule), step)
    refused = []
    for step in range(50, 200, 10):  # the disk of the other rank is full, or there is no coordinator
        try:
            opened(disk, schedule=schedule).write_shard(step, "rank0", part_of(state_at(step), 0, 2))
        except StillNeeded as error:
            refused.append(step)
            assert str(error) == "it would overwrite step 40, the last one that is complete"
        assert loaded(disk) == 40
    assert refused == [step for step in range(50, 200, 10) if schedule.slot(step) == schedule.slot(40)]
    save(opened(disk, schedule=schedule), 210 if schedule.slot(200) == schedule.slot(40) else 200)
    assert (loaded(disk) or 0) >= 200


def test_one_checkpoint_that_is_not_completed_costs_no_other_one() -> None:
    disk = in_memory({})
    save(opened(disk), 10)
    save(opened(disk), 20)
    assert uncommitted(disk, 30, ("rank0",))
    for step in (40, 50, 60):
        save(opened(disk), step)
        assert loaded(disk) == step


def test_a_training_that_has_gone_back_overwrites_what_it_did_not_resume_from() -> None:
    disk = in_memory({})
    for step in (10, 20, 30):
        save(opened(disk), step)
    withdraw(disk, "coordinator", [AFTER_10])
    for step in (20, 30, 40):
        save(opened(disk), step, generation=2)
        assert loaded(disk) == step


def test_a_checkpoint_that_is_completed_when_its_files_are_overwritten_does_not_count_as_complete() -> None:
    disk = in_memory({})
    for step in (10, 20, 30):
        save(opened(disk), step)
    late = uncommitted(disk, 40)
    for step in (50, 60, 70, 80):  # rank1's disk is full, and rank0 overwrites what it wrote at step 40
        uncommitted(disk, step, ("rank0",))
    with pytest.raises(TooLate, match="a file of it is no longer there"):  # its coordinator was frozen, and thaws
        commit(opened(disk), 40, late)
    manifest_of(disk, 40, late)  # … or it was frozen after it had looked
    for step in (90, 100, 110, 120):
        uncommitted(disk, step, ("rank0",))
        assert loaded(disk) == 30


def test_a_checkpoint_that_is_completed_while_its_file_is_about_to_be_overwritten_is_not_overwritten() -> None:
    class Late(Disk):
        """A coordinator completes step 40 when all of rank0's new file is written, and not yet in place."""

        def replace(self, name: str, data: bytes, *, check: Callable[[], None] = lambda: None) -> None:
            def look() -> None:
                manifest_of(disk, 40, late)
                check()

            super().replace(name, data, check=look)

    files = MemoryFiles({})
    disk = Disk(files)
    for step in (10, 20, 30):
        save(opened(disk), step)
    late = uncommitted(disk, 40)
    with pytest.raises(StillNeeded, match="it would overwrite step 40, the last one that is complete"):
        opened(Late(files)).write_shard(70, "rank0", part_of(state_at(70), 0, 2), 1)
    assert loaded(disk) == 40


def test_a_checkpoint_that_is_completed_late_leaves_a_later_one_of_the_same_coordinator_alone() -> None:
    disk = in_memory({})
    for step in (10, 20, 30):
        save(opened(disk), step)
    late = uncommitted(disk, 40)
    for step in (50, 60, 70):
        commit(opened(disk), step, write(opened(disk), step, ("rank2", "rank3"), 2), generation=2)
    with pytest.raises(TooLate, match="step 70 is complete and in its place"):
        commit(opened(disk), 40, late)
    assert loaded(disk) == 70


def test_the_last_sound_one_is_not_overwritten_because_of_later_ones_that_were_found_to_be_damaged() -> None:
    disk = in_memory({})
    for step in (30, 40, 50):
        save(opened(disk), step)
    damage(disk, f"{SCHEDULE.slot(50)}rank1.safetensors")
    training = opened(disk)
    found = training.newest()
    assert found is not None
    assert found.step == 40
    with pytest.raises(StillNeeded, match="it would overwrite step 40"):  # those since then were not even begun
        training.write_shard(70, "rank0", part_of(state_at(70), 0, 2), 2)
    assert loaded(disk) == 40


def test_a_training_that_goes_on_from_an_older_state_of_a_rank_leaves_the_last_complete_one() -> None:
    disk = in_memory({})
    for step in (10, 20, 30, 40, 50):
        save(opened(disk), step)
    # All ranks that had come further were killed, and the one that was frozen at step 25 thaws:
    for step in (30, 40, 50, 60, 70, 80, 90):  # rank1's disk is full
        uncommitted(disk, step, ("rank0",), 2)
        assert loaded(disk) == 50
    save(opened(disk), 100, generation=2)
    assert loaded(disk) == 100


def test_a_training_that_resumed_from_an_older_one_saves_again_what_was_damaged() -> None:
    disk = in_memory({})
    for step in (30, 40, 50):
        save(opened(disk), step)
    damage(disk, f"{SCHEDULE.slot(50)}rank1.safetensors")
    assert loaded(disk) == 40
    save(opened(disk), 50, generation=2)  # by ranks that were sent the state, and have not seen the damage
    assert loaded(disk) == 50


def test_another_schedule_overwrites_nothing_of_this_one() -> None:
    assert {Schedule(every=5, keep=2).slot(step) for step in range(0, 100, 5)}.isdisjoint(
        SCHEDULE.slot(step) for step in range(0, 100, 10)
    )


def test_any_byte_that_is_flipped_is_found_and_the_one_before_is_used() -> None:
    disk = in_memory({})
    save(opened(disk), 10)
    before = set(disk.names())
    save(opened(disk), 20)
    files = content(disk)
    newest = [name for name in files if name not in before]
    assert len(newest) == 3
    for name in newest:
        for at in range(len(files[name])):
            for bits in (1 << at % 8, 0xFF):
                flipped = bytearray(files[name])
                flipped[at] ^= bits
                damaged = in_memory({**files, name: bytes(flipped)})
                assert loaded(damaged) == 10, f"{name}, byte {at} flipped by {bits:#x}"


def test_what_was_refused_is_told(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    save(opened(disk), 10)
    save(opened(disk), 20)
    shard = tmp_path / f"{SCHEDULE.slot(20)}rank1.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1])
    found = opened(disk).newest()
    assert found is not None
    assert found.step == 10
    assert len(found.refused) == 1
    assert "step 20" in str(found.refused[0])
    assert f"{shard.name} has" in str(found.refused[0])
    shard.unlink()
    found = opened(disk).newest()
    assert found is not None
    assert f"{shard.name} is missing" in str(found.refused[0])


def test_no_sound_one_is_an_error_that_names_each(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    save(opened(disk), 10)
    save(opened(disk), 20)
    for name in disk.names():
        if name.endswith(".json"):
            (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(NoValidCheckpoint, match=r"None of 2 checkpoints .* own SHA-256.* own SHA-256.*Restore one"):
        opened(disk).newest()


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"model": "three layers"}, "its model is two layers, this job's is three layers"),
        ({"seed": 8}, "its seed is 7, this job's is 8"),
        ({"shards": 8}, "its number of virtual shards is 12, this job's is 8"),
        ({"world": 3}, "its number of ranks is None, this job's is 3"),
    ],
)
def test_another_jobs_checkpoint_is_an_error_that_says_what_differs(
    tmp_path: Path, other: dict[str, object], told: str
) -> None:
    save(opened(Disk(tmp_path)), 10)
    with pytest.raises(OtherJob, match=told):
        opened(Disk(tmp_path), msgspec.structs.replace(IDENTITY, **other)).newest()


@pytest.mark.parametrize("saved", [(), (10,), (10, 20, 30)])
def test_a_crash_in_any_file_operation_of_a_save_loses_nothing_that_was_saved(saved: tuple[int, ...]) -> None:
    disk = in_memory({})
    for step in saved:
        save(opened(disk), step)
    next_step = len(saved) * 10 + 10
    deaths, found = set(), set()
    for crash in crash_points(lambda disk: save(opened(disk), next_step), content(disk)):
        deaths.add(crash.number)
        found.add(left := loaded(crash.disk()))
        if crash.at == "the end":
            assert left == next_step
        else:
            assert left in {next_step, saved[-1] if saved else None}, f"crashed in {crash.at}"
    assert len(deaths) == 15  # five for each of three files
    assert found == {next_step, saved[-1] if saved else None}


# --------------------------------------------------------------------------- saves that are wrong, and what finds that out


class FolderNotSynced(MemoryFiles):
    """A disk under a program that does not sync the folder after a rename."""

    def sync_folder(self) -> None:
        """Left out."""


def manifest_first(disk: Disk, step: int) -> None:
    """The manifest names files that are about to be written."""
    elsewhere = in_memory({})
    save(opened(elsewhere), step)
    for name in ("coordinator.json", "rank0.safetensors", "rank1.safetensors"):
        disk.replace(f"{SCHEDULE.slot(step)}{name}", elsewhere.read(f"{SCHEDULE.slot(step)}{name}") or b"")


def test_a_manifest_that_is_written_first_names_what_is_not_there() -> None:
    disk = in_memory({})
    save(opened(disk), 10)
    told = set()
    for crash in crash_points(lambda disk: manifest_first(disk, 20), content(disk)):
        found = opened(crash.disk()).newest()
        assert found is not None
        told |= {refusal.why for refusal in found.refused}
    assert any("is missing" in why for why in told)  # the right order leaves nothing to be refused, as the next test shows


def test_no_crash_in_a_save_leaves_anything_that_has_to_be_refused() -> None:
    disk = in_memory({})
    save(opened(disk), 10)
    for crash in crash_points(lambda disk: save(opened(disk), 20), content(disk)):
        found = opened(crash.disk()).newest()
        assert found is not None
        assert found.refused == (), f"crashed in {crash.at}"


def test_a_folder_that_is_not_synced_loses_what_was_said_to_be_saved() -> None:
    files = FolderNotSynced({})
    save(opened(Disk(files)), 10)
    assert None in {loaded(in_memory(left)) for left in files.survivors()}
    synced = MemoryFiles({})
    save(opened(Disk(synced)), 10)
    assert {loaded(in_memory(left)) for left in synced.survivors()} == {10}


def test_a_copy_that_changed_before_it_was_written_is_refused(tmp_path: Path) -> None:
    checkpoints = opened(Disk(tmp_path))
    save(checkpoints, 10)
    tensors = state_at(20)
    state = digest_of(tensors)
    tensors["optimizer/weight/momentum"].view(torch.int32)[1, 2] ^= 1
    shards = [checkpoints.write_shard(20, f"rank{rank}", part_of(tensors, rank, 2)) for rank in range(2)]
    checkpoints.commit(20, "coordinator", shards, msgspec.Raw(b"{}"), state)
    found = checkpoints.newest()
    assert found is not None
    assert found.step == 10
    assert [refusal.why for refusal in found.refused] == ["what was written is not what the job held"]
    opened(Disk(tmp_path)).write_shard(20, "rank0", part_of(state_at(20), 0, 2))  # by a rank that was sent the state


def test_a_checkpoint_of_an_earlier_format_is_refused_in_one_line() -> None:
    body = (
        b'{"step": 10, "format": 1, "identity": {"model": "m", "data": "d", "seed": 1, "shards": 1, "batch": 1}, "shards": []}'
    )
    earlier = hashlib.sha256(body).hexdigest().encode() + b"\n" + body
    with pytest.raises(NoValidCheckpoint, match=r"0\.json: the manifest has format 1; this program reads format 2\. Restore"):
        opened(in_memory({"every10-keep2-0.json": earlier})).newest()
