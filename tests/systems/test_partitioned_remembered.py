"""What a node of the partitioned store must still know after a crash, and what it would have forgotten."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from harness.node.crashpoints import MemoryFiles
from harness.node.disk import Disk
from systems.partitioned.bugs import BUGS, CORRECT, Rules
from systems.partitioned.copying import Copy
from systems.partitioned.frames import Damaged
from systems.partitioned.known_map import KnownMap, write_map
from systems.partitioned.messages import Entry, Held, Pulled, Version
from systems.partitioned.moving import first_map
from systems.partitioned.remembered import forgotten, next_start
from systems.partitioned.storage import Storage
from systems.parts.partitioning.members import Member
from tests.helpers.deaths import deaths
from tests.simulation.test_run import simulated

FIRST = first_map("consistent", [Member("n1")], 1, 2, ())
LATER = msgspec.structs.replace(FIRST, epoch=FIRST.epoch + 1)


class Node:
    """A node without a server."""

    def __init__(self, disk: Disk, rules: Rules = CORRECT, *, segment_bytes: int = 1 << 20) -> None:
        self.start = 0
        self.storage = Storage(disk, lambda text: None, rules=rules, segment_bytes=segment_bytes)
        self.known = KnownMap(disk, lambda text: None, rules)
        self.storage.open()
        self.known.open()
        self.start = next_start(disk)

    def live(self) -> None:
        self.known.install(FIRST)
        for counter in range(1, 8):
            self.put(f"k{counter % 3}", counter)
        self.known.install(LATER)
        self.storage.forget("k1", "k2")
        self.put("k1", 9)

    def put(self, place: str, counter: int) -> None:
        assert asyncio.run(self.storage.put([Held(place, Entry(Version(counter, "n1", self.start), str(counter)))]))

    def forgotten(self, disk: Disk) -> str | None:
        return forgotten(self.storage, self.known.map, self.start, disk)


@pytest.mark.parametrize("segment_bytes", [1, 150, 1 << 20])
def test_whenever_a_node_dies_it_remembers(segment_bytes: int) -> None:
    crashes = 0
    for node, crash in deaths(lambda disk: Node(disk, segment_bytes=segment_bytes), Node.live):
        crashes += 1
        assert node.forgotten(crash.disk()) is None, f"{crash.number}: {crash.at}"
    assert crashes > 30


@pytest.mark.parametrize(
    ("bug", "why"), [("no-sync", "it would hold version"), ("node-forgets-map", "it would go back from epoch")]
)
def test_a_node_that_uses_what_is_not_on_its_disk_forgets(bug: str, why: str) -> None:
    found = [node.forgotten(crash.disk()) for node, crash in deaths(lambda disk: Node(disk, BUGS.variant(bug)), Node.live)]
    assert any(why in (one or "") for one in found)


def test_every_flipped_bit_on_the_disk_is_noticed_at_the_next_start() -> None:
    Node(Disk(files := MemoryFiles()), segment_bytes=150).live()
    left = files.contents()
    for name, content in left.items():
        for bit in range(8 * len(content)):
            flipped = bytearray(content)
            flipped[bit // 8] ^= 1 << bit % 8
            with pytest.raises(Damaged):
                Node(Disk(MemoryFiles({**left, name: bytes(flipped)})))
                pytest.fail(f"bit {bit} of {name}, {bytes(flipped)!r}")


def test_what_a_start_does_not_find_is_forgotten() -> None:
    files = MemoryFiles()
    node, before = Node(Disk(files)), MemoryFiles()
    node.known.install(LATER)
    node.put("k", 1)
    earlier = files.contents()
    node.put("k", 2)
    assert node.forgotten(Disk(MemoryFiles(files.contents()))) is None
    assert node.forgotten(Disk(MemoryFiles(earlier))) == "of k, it would hold version 1 of n1 in place of version 2 of n1"
    assert node.forgotten(Disk(before)) == "start 1 would be followed by start 1"
    older = MemoryFiles(files.contents())
    write_map(Disk(older), FIRST)
    assert node.forgotten(Disk(older)) == f"it would go back from epoch {LATER.epoch} to {FIRST.epoch}"
    node.start = 0
    assert node.forgotten(Disk(before)) is None


def test_the_progress_of_a_copy_is_remembered_as_long_as_its_move_goes_on() -> None:
    files = MemoryFiles()
    node = Node(Disk(files))
    first, *others = LATER.partitions
    moving = msgspec.structs.replace(first, target=("n2",), move=LATER.epoch)
    node.known.install(msgspec.structs.replace(LATER, partitions=(moving, *others)))
    copy = Copy(moving, {})
    disks: list[MemoryFiles] = []
    for place, done in (("k1", False), ("k2", True)):
        part = Pulled([Held(place, Entry(Version(1, "n1", 1), "x"))], done)
        note, text = copy.with_part("n1", part)
        assert asyncio.run(node.storage.put(part.held, {note: text}))
        copy.took("n1", text)
        disks.append(MemoryFiles(files.contents()))
    earlier, now = disks
    assert node.forgotten(Disk(now)) is None
    for held in node.storage.between("", None):
        asyncio.run(Node(Disk(earlier)).storage.put([held]))
    assert "it would have the note" in (node.forgotten(Disk(earlier)) or "")
    last = msgspec.structs.replace(LATER, epoch=LATER.epoch + 1)
    node.known.install(last)
    write_map(Disk(earlier), last)
    assert node.forgotten(Disk(earlier)) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bug", "drill"),
    [
        ("no-sync", "partitioned/joins"),  # in which no node dies
        ("node-forgets-map", "partitioned/joins"),
        # with the bug it never writes: its death is the only moment
        ("coordinator-forgets", "partitioned/coordinator_killed"),
    ],
)
def test_simulation_finds_it(bug: str, drill: str) -> None:
    recorded, _ = simulated(drill, 1, f"system.bug={bug}")
    assert recorded.forgotten is not None
