"""What a strong replica must still know after a crash: which disks it may find, and which ones would make it forget."""

from __future__ import annotations

import errno
from functools import partial

import pytest

from harness.node.crashpoints import MemoryFiles
from harness.node.disk import Disk
from systems.strong.messages import Command, Entry, Matched, Snapshot, Write
from systems.strong.remembered import forgotten
from systems.strong.replica import Replica, Restore, Take
from systems.strong.storage import LOG, Storage
from tests.helpers.deaths import deaths


def entries(*epochs: int, first: int = 1) -> list[Entry]:
    return [Entry(epoch, Command(Write("k", f"{epoch}.{place}"))) for place, epoch in enumerate(epochs, start=first)]


def replica(*epochs: int, epoch: int = 2, ready: bool = True) -> Replica:
    return Replica(entries=entries(*epochs), epoch=epoch, ready=ready)


class Node:
    """A replica on its disk that obeys epoch 1 and lacks nothing."""

    def __init__(self, disk: Disk, *, compact_at_bytes: int = 1 << 20) -> None:
        self.storage = Storage(disk, lambda text: None, cluster="c", name="n1", compact_at_bytes=compact_at_bytes)
        self.replica = self.storage.replica
        self.promise(1)

    def promise(self, epoch: int) -> None:
        self.storage.promise(epoch, ready=True)
        self.replica.promise(epoch)
        self.replica.ready = True

    def take(self, after: int, *epochs: int) -> None:
        taken = Take(after, entries(*epochs, first=after + 1), Matched(after + len(epochs)))
        self.storage.take(self.replica, taken)
        self.replica.took(taken)

    def restore(self, snapshot: Snapshot, *epochs: int) -> None:
        restored = Restore(snapshot, entries(*epochs, first=snapshot.index + 1), Matched(snapshot.index))
        self.storage.restore(restored)
        self.replica.restored(restored)


@pytest.mark.parametrize("compact_at_bytes", [1, 1 << 20])
def test_whenever_a_replica_dies_it_remembers(compact_at_bytes: int) -> None:
    def live(node: Node) -> None:
        node.take(0, 1, 1, 1)
        node.replica.commit(2)
        node.promise(2)
        node.take(2, 2, 2)
        node.restore(node.replica.snapshot(), 3, 3, 3)
        node.take(4, 3)

    crashes = 0
    for node, crash in deaths(partial(Node, compact_at_bytes=compact_at_bytes), live):
        crashes += 1
        assert node.storage.forgotten(crash.disk()) is None, f"{crash.number}: {crash.at}"
    assert crashes > 30


def test_a_replica_that_has_lost_something_still_knows_that_after_a_crash() -> None:
    files = MemoryFiles()
    node = Node(Disk(files))
    node.replica.ready = False
    node.storage.promise(2, ready=False)
    assert node.storage.forgotten(Disk(MemoryFiles(files.contents()))) is None
    node.storage.promise(3, ready=True)
    why = node.storage.forgotten(Disk(MemoryFiles(files.contents())))
    assert why == "it would count as complete, and has lost something"
    node.replica.ready = True
    assert node.storage.forgotten(Disk(MemoryFiles(files.contents()))) is None


def test_what_the_disk_did_not_take_may_be_there_or_not() -> None:
    class Failing(MemoryFiles):
        fails = False

        def sync(self, name: str) -> None:
            if self.fails:
                raise OSError(errno.EIO, "Input/output error")
            super().sync(name)

    files = Failing()
    node = Node(Disk(files))
    node.take(0, 1, 1, 1)
    before = files.contents()
    files.fails = True
    with pytest.raises(OSError, match="Input/output error"):
        node.take(1, 2)
    for left in (files, MemoryFiles(before)):
        assert node.storage.forgotten(Disk(MemoryFiles(left.contents()))) is None
    files.fails = False
    node.take(1, 2)
    assert node.storage.forgotten(Disk(MemoryFiles(before))) is not None


def test_a_log_that_nothing_has_damaged_must_not_count_as_damaged() -> None:
    files = MemoryFiles()
    node = Node(Disk(files))
    node.take(0, 1)
    before = files.read(LOG) or b""
    node.take(1, 1)
    Disk(files).replace(LOG, before)
    assert node.storage.forgotten(Disk(files)) == "it would not know whether it has everything that was acknowledged"


@pytest.mark.parametrize(
    ("started", "lost"),
    [
        (replica(1, 1, 2), None),
        (replica(1, 1, 2, 2, epoch=3), None),  # it was being written
        (replica(1, 1, 2, epoch=1), "it would obey epoch 1 again, and has promised to obey none before 2"),
        (replica(1, 1, 2, ready=False), "it would not know whether it has everything"),
        (replica(1, 1), "its log would end with index 2, and 3 was stored"),
        (replica(1, 1, 1), "it would hold an entry of epoch 1 at index 3, in place of one of epoch 2"),
    ],
)
def test_what_was_stored_must_be_found(started: Replica, lost: str | None) -> None:
    why = forgotten(replica(1, 1, 2), started, None)
    assert (why is None) if lost is None else (why is not None and lost in why)


def test_a_replica_that_lacks_something_has_only_its_promise_to_keep() -> None:
    node = replica(1, 1, 2, ready=False)
    assert forgotten(node, replica(), None) is None
    assert forgotten(node, replica(epoch=1), None) is not None
