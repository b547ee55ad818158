"""Checkpoints that turned out to be spoilt are withdrawn: nobody uses them, whatever the disk does to the list of them."""

from __future__ import annotations

import pytest

from harness.node.crashpoints import crash_points
from harness.node.disk import Disk
from systems.parts.checkpoint.manifest import Withdrawn
from systems.parts.checkpoint.refusals import Damaged, NoneTrusted, NoValidCheckpoint, StillNeeded
from systems.parts.checkpoint.store import Checkpoints, part_of, withdraw
from tests.helpers.checkpoints import SCHEDULE, content, damage, in_memory, loaded, opened, save, state_at, uncommitted

AFTER_10 = Withdrawn(generation=1, step=10)


def test_a_training_whose_only_trusted_checkpoint_has_made_way_for_spoilt_ones_begins_anew() -> None:
    disk = in_memory({})
    for step in (30, 40, 50):
        save(opened(disk), step)
    assert uncommitted(disk, 60, ("rank0",))  # over step 30's, when it is found that all later ones are spoilt
    withdraw(disk, "coordinator", [Withdrawn(generation=1, step=35)])
    with pytest.raises(NoneTrusted, match=r"step 30 \(.*rank0.safetensors has made way for step 60"):
        loaded(disk)


def test_a_training_whose_only_trusted_checkpoint_is_damaged_leaves_it_to_the_user_to_begin_anew() -> None:
    disk = in_memory({})
    for step in (30, 40, 50):
        save(opened(disk), step)
    damage(disk, f"{SCHEDULE.slot(30)}rank1.safetensors")
    withdraw(disk, "coordinator", [Withdrawn(generation=1, step=35)])
    with pytest.raises(NoValidCheckpoint, match=r"step 30 \(.*rank1.safetensors does not match its SHA-256"):
        loaded(disk)


def test_what_is_withdrawn_is_not_used_again_until_it_is_saved_again() -> None:
    disk = in_memory({})
    for step in (10, 20, 30):
        save(opened(disk), step)
    assert withdraw(disk, "coordinator", [AFTER_10]) == [30, 20]
    assert loaded(disk) == 10
    save(opened(disk), 20, generation=2)
    assert loaded(disk) == 20
    assert withdraw(disk, "coordinator", [AFTER_10, Withdrawn(generation=2, step=0)]) == [30, 20, 10]
    assert loaded(disk) is None  # the training begins anew, which is right


@pytest.mark.parametrize("after", [0, 10])
def test_a_crash_while_checkpoints_are_withdrawn_leaves_all_used_or_none(after: int) -> None:
    disk = in_memory({})
    for step in (10, 20, 30):
        save(opened(disk), step)
    found = [Withdrawn(generation=1, step=after)]
    for crash in crash_points(lambda disk: withdraw(disk, "coordinator", found), content(disk)):
        left = loaded(crash.disk())
        assert left in {10 if after else None, 30}
        again = crash.disk()
        withdraw(again, "coordinator", found)  # as the coordinator does when it is back
        assert loaded(again) == (10 if after else None)


def test_a_flipped_byte_never_makes_a_withdrawn_checkpoint_usable() -> None:
    disk = in_memory({})
    for step in (10, 20, 30):
        save(opened(disk), step)
    withdraw(disk, "coordinator", [AFTER_10])
    files = content(disk)
    name = "coordinator.withdrawn"
    for at in range(len(files[name])):
        flipped = bytearray(files[name])
        flipped[at] ^= 1
        with pytest.raises(Damaged, match=f"{name} says which checkpoints must not be used, but the list .* empty the folder"):
            loaded(in_memory({**files, name: bytes(flipped)}))


def told(disk: Disk, *withdrawn: Withdrawn) -> Checkpoints:
    checkpoints = opened(disk)
    checkpoints.refuse(withdrawn)
    return checkpoints


def test_what_the_group_is_told_to_refuse_is_refused_though_no_disk_took_the_list() -> None:
    disk = in_memory({})
    for step in (10, 20, 30):
        save(opened(disk), step)
    found = told(disk, AFTER_10).newest()
    assert found is not None
    assert found.step == 10
    with pytest.raises(StillNeeded, match="it would overwrite step 10, the last one that is complete"):
        told(disk, AFTER_10).write_shard(40, "rank0", part_of(state_at(40), 0, 2), 2)


def test_what_only_the_disk_says_is_withdrawn_is_refused_beside_what_the_group_is_told() -> None:
    disk = in_memory({})
    for step in (10, 20, 30):
        save(opened(disk), step)
    withdraw(disk, "coordinator", [AFTER_10])
    found = told(disk, Withdrawn(generation=1, step=20)).newest()
    assert found is not None
    assert found.step == 10


def test_a_damaged_list_does_no_harm_to_a_group_that_is_told_what_is_withdrawn() -> None:
    disk = in_memory({})
    for step in (10, 20, 30):
        save(opened(disk), step)
    withdraw(disk, "coordinator", [AFTER_10])
    damage(disk, "coordinator.withdrawn")
    found = told(disk, AFTER_10).newest()
    assert found is not None
    assert found.step == 10
    with pytest.raises(Damaged, match="says which checkpoints must not be used"):
        told(disk).newest()  # a ledger that knows of none is not the one by which they were withdrawn
