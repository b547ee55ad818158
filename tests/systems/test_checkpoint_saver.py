"""Saving checkpoints in the background: errors raise an alarm, and later saves are still done."""

from __future__ import annotations

import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from harness.node.disk import Disk
from harness.node.files import Files
from systems.parts.checkpoint.manifest import Shard
from systems.parts.checkpoint.saver import Saver
from systems.parts.checkpoint.store import Tensors
from tests.helpers.checkpoints import commit, loaded, opened, state_at


class FailingFiles(Files):
    """Real files, of whose operations those in `failing` fail."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.failing: dict[str, int] = {}

    def append(self, name: str, data: bytes) -> None:
        self._fail("append")
        super().append(name, data)

    def sync(self, name: str) -> None:
        self._fail("sync")
        super().sync(name)

    def sync_folder(self) -> None:
        self._fail("sync_folder")
        super().sync_folder()

    def _fail(self, operation: str) -> None:
        if number := self.failing.get(operation):
            raise OSError(number, os.strerror(number))


class Job:
    """A one-rank job that saves in the background and commits what was written."""

    def __init__(self, files: Files) -> None:
        self.disk = Disk(files)
        self.checkpoints = opened(self.disk)
        self.alarms: list[str] = []
        self.saver = Saver(
            self.checkpoints,
            "rank0",
            ThreadPoolExecutor(max_workers=1),
            written=self._written,
            failed=lambda step, why: self.alarms.append(f"{step}: {why}"),
        )

    def _written(self, step: int, world: int, shard: Shard) -> None:
        commit(self.checkpoints, step, [shard], generation=0)

    def save(self, step: int) -> None:
        tensors = state_at(step)
        self.saver.save(step, 0, 1, tensors)
        for tensor in tensors.values():
            tensor.zero_()  # the training goes on at once
        assert self.saver.wait(30)


@pytest.mark.parametrize(
    ("operation", "number", "told"),
    [
        ("append", errno.ENOSPC, "No space left on device"),
        ("sync", errno.EIO, "Input/output error"),
        ("sync_folder", errno.EIO, "Input/output error"),
    ],
)
def test_training_goes_on_with_an_alarm_while_the_disk_fails(tmp_path: Path, operation: str, number: int, told: str) -> None:
    files = FailingFiles(tmp_path)
    job = Job(files)
    job.save(10)
    files.failing = {operation: number}
    job.save(20)
    assert job.alarms == [f"20: {told}"]
    assert loaded(Disk(tmp_path)) == 10
    files.failing = {}
    job.save(30)
    assert loaded(Disk(tmp_path)) == 30
    job.saver.close()


class WrongFiles(Files):
    """Real files under an adapter that has a fault of its own."""

    wrong = False

    def append(self, name: str, data: bytes) -> None:
        if self.wrong:
            raise ValueError("I/O operation on closed file")
        super().append(name, data)


def test_an_unexpected_error_of_one_save_is_told_and_the_next_save_is_done(tmp_path: Path) -> None:
    files = WrongFiles(tmp_path)
    job = Job(files)
    files.wrong = True
    job.save(10)
    assert job.alarms == ["10: ValueError: I/O operation on closed file"]
    files.wrong = False
    job.save(20)
    assert loaded(Disk(tmp_path)) == 20
    job.saver.close()


def test_a_save_whose_copy_failed_is_not_waited_for(tmp_path: Path) -> None:
    def copied(tensors: Tensors) -> None:
        if len(alarms) == 0:
            alarms.append("copied")
            raise RuntimeError("the copy is not what it should be")

    alarms: list[str] = []
    written: list[int] = []
    saver = Saver(
        opened(Disk(Files(tmp_path))),
        "rank0",
        ThreadPoolExecutor(max_workers=1),
        written=lambda step, world, shard: written.append(step),
        failed=lambda step, why: alarms.append(why),
        copied=copied,
    )
    with pytest.raises(RuntimeError, match="the copy is not"):
        saver.save(10, 0, 1, state_at(10))
    assert saver.wait(0)
    saver.save(20, 0, 1, state_at(20))
    saver.close()
    assert (written, alarms) == ([20], ["copied"])


def test_training_goes_on_with_an_alarm_if_there_is_no_memory_for_the_copy(tmp_path: Path) -> None:
    job = Job(Files(tmp_path))
    job.saver.save(10, 0, 1, {"model/weight": torch.zeros(1).expand(1 << 45)})  # 128 TiB, once it is copied
    assert job.alarms == ["10: Cannot allocate memory for the copy"]
    job.save(20)
    assert loaded(Disk(tmp_path)) == 20
    job.saver.close()


class SlowFiles(Files):
    """Real files whose syncs wait until the test releases them."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.go = threading.Event()

    def sync(self, name: str) -> None:
        assert self.go.wait(30)
        super().sync(name)


def test_a_save_does_not_wait_for_the_one_before(tmp_path: Path) -> None:
    files = SlowFiles(tmp_path)
    job = Job(files)
    job.saver.save(10, 0, 1, state_at(10))
    job.saver.save(20, 0, 1, state_at(20))
    assert job.alarms == ["20: the save before it is not done yet"]
    files.go.set()
    job.saver.close()
    assert loaded(Disk(tmp_path)) == 10
