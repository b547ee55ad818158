"""Nodes that are frozen as they write to a checkpoint and replaced, and thaw later: the newest checkpoint remains."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from harness.node.disk import Disk
from systems.parts.checkpoint.manifest import Withdrawn
from systems.parts.checkpoint.refusals import StillNeeded
from systems.parts.checkpoint.store import Checkpoints, Schedule, part_of, withdraw
from tests.helpers.checkpoints import commit, loaded, opened, state_at, write
from tests.helpers.effort import left_to_ci
from tests.helpers.freezing_files import FreezingFiles

OPERATIONS = range(1, 6)
"""Of a write: truncate, append, sync, rename, sync the folder."""

KEEP = (left_to_ci(1), 2, left_to_ci(3))
FOUND = Withdrawn(generation=1, step=10)


class Job:
    """A training whose checkpoints the ranks and the coordinator of one generation make."""

    def __init__(self, folder: Path, keep: int, generation: int, ranks: tuple[str, ...], coordinator: str) -> None:
        self.disk = Disk(FreezingFiles(folder))
        self.checkpoints = of(self.disk, keep)
        self._generation = generation
        self._ranks = ranks
        self._coordinator = coordinator

    def save(self, steps: range) -> None:
        for step in steps:
            with suppress(StillNeeded):  # whoever is frozen now has completed it
                shards = write(self.checkpoints, step, self._ranks, self._generation)
                commit(self.checkpoints, step, shards, self._coordinator, self._generation)


def of(disk: Disk, keep: int) -> Checkpoints:
    return opened(disk, schedule=Schedule(every=10, keep=keep))


@contextmanager
def frozen(folder: Path, nth: int, act: Callable[[Disk], object]) -> Iterator[None]:
    """`act` is frozen before its `nth` file operation, until the block is over."""
    files = FreezingFiles(folder)
    files.nth = nth
    errors: list[OSError] = []

    def run() -> None:
        try:
            act(Disk(files))
        except StillNeeded:
            pass  # it has thawed before its file takes the place of another one, and looks
        except OSError as error:  # the node would report it
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert files.frozen.wait(60)
    yield
    files.thawed.set()
    thread.join()
    assert not errors


def check_newest(disk: Disk, keep: int, step: int) -> None:
    found = of(disk, keep).newest()
    assert found is not None
    assert (found.step, found.refused) == (step, ())
    assert loaded(disk) == step


def lasts(keep: int) -> range:
    """The last step that is saved meanwhile: from the one that was frozen until its slot has been used again, and later."""
    return range(30, 30 + (keep + 3) * 10, 10)


@pytest.mark.parametrize("nth", OPERATIONS)
@pytest.mark.parametrize("keep", KEEP)
def test_a_rank_that_thaws_in_the_middle_of_its_part_leaves_the_next_groups_checkpoints_alone(
    tmp_path: Path, keep: int, nth: int
) -> None:
    for last in lasts(keep):
        folder = tmp_path / str(last)
        Job(folder, keep, 1, ("rank0", "rank1"), "coordinator1").save(range(10, 30, 10))
        after = Job(folder, keep, 2, ("rank0", "rank2"), "coordinator1")
        part = part_of(state_at(30), 1, 2)
        with frozen(folder, nth, lambda disk, part=part: of(disk, keep).write_shard(30, "rank1", part, 1)):  # type: ignore[misc]
            after.save(range(30, last + 1, 10))
        check_newest(after.disk, keep, last)


@pytest.mark.parametrize("nth", OPERATIONS)
@pytest.mark.parametrize("keep", KEEP)
@pytest.mark.parametrize("generation", [1, 2])
def test_a_coordinator_that_thaws_in_the_middle_of_a_commit_hides_none_of_its_successors_checkpoints(
    tmp_path: Path, keep: int, nth: int, generation: int
) -> None:
    for last in lasts(keep):
        folder = tmp_path / str(last)
        ranks = ("rank0", "rank1")
        before = Job(folder, keep, 1, ranks, "coordinator1")
        before.save(range(10, 30, 10))
        after = Job(folder, keep, generation, ranks, "coordinator2")  # a healthy group goes on under the new coordinator
        shards = write(before.checkpoints, 30, ranks)
        with frozen(folder, nth, lambda disk, shards=shards: commit(of(disk, keep), 30, shards, "coordinator1")):  # type: ignore[misc]
            after.save(range(30, last + 1, 10))
        check_newest(after.disk, keep, last)


@pytest.mark.parametrize("nth", OPERATIONS)
@pytest.mark.parametrize("keep", KEEP)
def test_a_coordinator_that_thaws_while_it_withdraws_withdraws_nothing_that_was_saved_since(
    tmp_path: Path, keep: int, nth: int
) -> None:
    for last in lasts(keep):
        folder = tmp_path / str(last)
        ranks = ("rank0", "rank1")
        Job(folder, keep, 1, ranks, "coordinator1").save(range(10, 30, 10))
        after = Job(folder, keep, 2, ranks, "coordinator2")
        with frozen(folder, nth, lambda disk: withdraw(disk, "coordinator1", [FOUND])):
            withdraw(after.disk, "coordinator2", [FOUND])
            after.save(range(20, last + 1, 10))
        check_newest(after.disk, keep, last)


@pytest.mark.parametrize("nth", OPERATIONS)
def test_a_checkpoint_that_is_committed_after_it_was_withdrawn_stays_withdrawn(tmp_path: Path, nth: int) -> None:
    ranks = ("rank0", "rank1")
    before = Job(tmp_path, 2, 1, ranks, "coordinator1")
    before.save(range(10, 20, 10))
    shards = write(before.checkpoints, 20, ranks)
    with frozen(tmp_path, nth, lambda disk: commit(of(disk, 2), 20, shards, "coordinator1")):
        withdraw(before.disk, "coordinator2", [FOUND])
    check_newest(before.disk, 2, 10)


@pytest.mark.slow
def test_the_disk_holds_no_more_files_after_many_generations_and_coordinators(tmp_path: Path) -> None:
    groups = [("rank0", "rank1"), ("rank0", "rank2"), ("rank1", "rank2"), ("rank0", "rank1", "rank2")]
    sizes = []
    for generation in range(1, 80):
        group, coordinator = groups[generation // 9 % len(groups)], f"coordinator{generation // 3 % 3}"
        Job(tmp_path, 2, generation, group, coordinator).save(range(generation * 10, generation * 10 + 10, 10))
        sizes.append(len(list(tmp_path.iterdir())))
    assert max(sizes) == sizes[-1] == 3 * (3 + 3)  # slots, ranks, coordinators
