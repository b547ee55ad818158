"""Logs that are rewritten far more often than they grow."""

from __future__ import annotations

from random import Random

import pytest

from harness.node.disk import Disk
from harness.run import catalog
from harness.simulation.disk import HostFiles, MemoryDisk
from harness.simulation.rewriting import Rewriting
from harness.simulation.seed_run import REWRITES, run_seed
from harness.simulation.swarm import PLAIN
from systems.parts.record_log import RecordLog
from systems.quorum.replica import Held
from systems.quorum.storage import Storage
from tests.helpers.effort import left_to_ci

RECORD = b"x" * 100


class Node:
    """A node with a log on a disk in memory."""

    def __init__(self) -> None:
        self.failed = 0
        self.rewriting = Rewriting(lambda: self.failed)
        files = HostFiles(MemoryDisk(Random(1)), "data", lambda operation, seconds: None, self.rewriting)
        self.disk = Disk(files)
        self.log = RecordLog(self.disk, name="log", mark="mark")
        self.log.replace(RECORD)

    def fill(self, *, until_bytes: int, keeps: int) -> None:
        """Append records, and replace the log by `keeps` of them when it has reached this size, or twice its size."""
        limit_bytes = until_bytes
        for _ in range(2000):
            self.log.append(RECORD)
            if self.log.size_bytes > limit_bytes:
                self.log.replace(keeps * RECORD)
                limit_bytes = max(until_bytes, 2 * self.log.size_bytes)


@pytest.mark.parametrize("keeps", [0, 1, 10, 100])
@pytest.mark.parametrize("until_bytes", [200, 2000, 200_000])
def test_a_log_that_is_rewritten_when_it_has_doubled_is_right(keeps: int, until_bytes: int) -> None:
    node = Node()
    node.fill(until_bytes=until_bytes, keeps=keeps)
    assert node.rewriting.found is None


def test_a_log_that_is_rewritten_at_each_change_is_not() -> None:
    node = Node()
    for _ in range(200):
        node.log.append(RECORD)
        node.log.replace(30 * RECORD)
    assert node.rewriting.found is not None
    assert "log was replaced " in node.rewriting.found


def test_one_that_holds_little_may_be() -> None:
    node = Node()
    for _ in range(200):
        node.log.append(RECORD)
        node.log.replace(RECORD)
    assert node.rewriting.found is None


def test_a_file_that_is_only_replaced_is_no_log() -> None:
    node = Node()
    for _ in range(1000):
        node.disk.replace("state", 10 * RECORD)
    assert node.rewriting.found is None


def test_a_few_snapshots_of_others_may_replace_a_log() -> None:
    node = Node()
    node.log.append(RECORD)
    for _ in range(5):
        node.log.replace(10_000 * RECORD)
    assert node.rewriting.found is None


def test_a_log_on_a_disk_that_fails_is_replaced_each_time() -> None:
    node = Node()
    node.log.append(RECORD)
    for _ in range(200):
        node.failed += 1
        node.log.append(RECORD)
        node.log.replace(300 * RECORD)
    assert node.rewriting.found is None


def test_each_process_begins_anew() -> None:
    node = Node()
    for _ in range(200):
        node.rewriting.begin()
        node.log.append(RECORD)
        node.log.replace(300 * RECORD)
    assert node.rewriting.found is None


@pytest.mark.parametrize("doubles", [True, left_to_ci(False)])
def test_a_run_whose_nodes_do_it_fails(monkeypatch: pytest.MonkeyPatch, *, doubles: bool) -> None:
    write = Storage._write

    def writing(storage: Storage, batch: list[Held]) -> None:
        write(storage, batch)
        if not doubles:
            storage._compact_at_bytes = storage._least_bytes

    monkeypatch.setattr(Storage, "_write", writing)
    changes = ["load.seconds=2", "load.rate=200", "system.compact_at_kib=4", "system.padding_kib=1"]
    drill = catalog.find_drill("quorum/healthy", changes).drill
    outcome = run_seed("quorum/healthy", drill, 1, swarm=PLAIN).outcome
    assert (REWRITES in outcome.found) is not doubles, outcome.why
