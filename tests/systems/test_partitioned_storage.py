"""What a node of the partitioned store keeps: through crashes, failing disks and cleaning up."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.model.steering import PARTIAL
from harness.node.crashpoints import MemoryFiles, crash_points
from harness.node.disk import Disk
from systems.partitioned.frames import Damaged, encode_line, lines
from systems.partitioned.invariant import OneOwnerWhoHasIt
from systems.partitioned.messages import Entry, Held, Version
from systems.partitioned.moving import Seen, advanced, first_map, joined
from systems.partitioned.storage import Storage
from systems.parts.partitioning.members import Member
from systems.parts.sealing import sealed, unsealed
from tests.helpers.failing_files import FailingFiles


def held(place: str, counter: int, value: str | None = "v") -> Held:
    return Held(place, Entry(Version(counter, "n1", 1), value))


def opened(disk: Disk | Path, *, segment_bytes: int = 200) -> Storage:
    storage = Storage(disk if isinstance(disk, Disk) else Disk(disk), lambda text: None, segment_bytes=segment_bytes)
    storage.open()
    return storage


def put(storage: Storage, entries: Sequence[Held], notes: dict[str, str | None] | None = None) -> bool:
    return asyncio.run(storage.put(entries, notes))


def values(storage: Storage) -> dict[str, str | None]:
    return {one.place: one.entry.value for one in storage.between("", None)}


def test_what_was_put_is_there_after_a_restart_with_its_notes(tmp_path: Path) -> None:
    storage = opened(tmp_path)
    assert put(storage, [held("a", 1), held("b", 1)], {"note": "x"})
    assert put(storage, [held("a", 2, "new"), held("b", 2, None)], {"note": None, "other": "y"})
    for again in (storage, opened(tmp_path), opened(tmp_path)):
        assert values(again) == {"a": "new", "b": None}
        assert again.notes == {"other": "y"}


class NearlyFull(MemoryFiles):
    """A disk on which the end of a file still fits, and a file that is to replace another does not."""

    full = False

    def append(self, name: str, data: bytes) -> None:
        if self.full and name.endswith(PARTIAL):
            raise OSError(errno.ENOSPC, "No space left on device")
        super().append(name, data)

    def bytes(self) -> int:
        return sum(self.size(name) or 0 for name in self.names())


def test_a_segment_that_cannot_be_emptied_is_copied_once() -> None:
    """Else each change adds all notes to a disk that is nearly full, and none of it is ever given back."""
    files = NearlyFull()
    storage = opened(Disk(files), segment_bytes=1000)
    put(storage, [held("b", 1)], {"note": "x" * 300})
    for counter in range(1, 30):
        put(storage, [held("a", counter)])
    files.full, before = True, files.bytes()
    for counter in range(30, 80):
        put(storage, [held("a", counter)])
    assert files.bytes() - before < 4000
    files.full = False
    for counter in range(80, 200):
        put(storage, [held("a", counter)])
    assert files.bytes() < before + 3000
    again = opened(Disk(files))
    assert (values(again), again.notes) == ({"a": "v", "b": "v"}, {"note": "x" * 300})


def test_older_entries_change_nothing(tmp_path: Path) -> None:
    storage = opened(tmp_path)
    put(storage, [held("a", 5, "new")])
    assert put(storage, [held("a", 4, "old")])
    assert values(opened(tmp_path)) == {"a": "new"}


def test_ranges_are_read_in_order_from_low_to_before_high_and_after_a_place(tmp_path: Path) -> None:
    storage = opened(tmp_path)
    put(storage, [held(place, 1) for place in "dabce"])
    assert [one.place for one in storage.between("b", "e")] == ["b", "c", "d"]
    assert [one.place for one in storage.between("b", "e", after="b")] == ["c", "d"]
    assert storage.forget("b", "d") == 2
    assert [one.place for one in storage.between("", None)] == ["a", "d", "e"]


def test_what_is_discarded_on_its_way_to_the_disk_does_not_arrive(tmp_path: Path) -> None:
    storage = opened(tmp_path)

    async def scene() -> bool:
        putting = asyncio.ensure_future(storage.put([held(place, 1) for place in "abcd"], {"note": "x"}))
        await asyncio.sleep(0)  # it waits for the commit
        storage.forget("b", "d")
        return await putting

    assert asyncio.run(scene())
    assert values(storage) == {"a": "v", "d": "v"}
    assert storage.notes == {"note": "x"}


def test_a_log_does_not_grow_for_ever(tmp_path: Path) -> None:
    storage = opened(tmp_path, segment_bytes=4096)
    for counter in range(1, 400):
        assert put(storage, [held(f"k{counter % 7}", counter, "x" * 200)])
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 100_000
    assert len(values(opened(tmp_path))) == 7


def test_neither_changes_nor_restarts_leave_more_and_more_files() -> None:
    files = MemoryFiles()
    for start in range(6):
        storage = opened(Disk(files), segment_bytes=1024)
        for counter in range(200 * start, 200 * start + 200):
            assert put(storage, [held(f"k{counter % 5}", counter + 1, "x" * 200)])
        assert values(opened(Disk(files), segment_bytes=1024)) == {f"k{number}": "x" * 200 for number in range(5)}
    assert len(files.names()) < 12


def test_no_crash_loses_what_was_acknowledged_or_parts_a_note_from_its_entries() -> None:
    acknowledged: dict[str, int] = {}
    noted = 0

    def operation(disk: Disk) -> None:
        nonlocal noted
        acknowledged.clear()
        noted = 0
        storage = opened(disk, segment_bytes=150)
        for counter in range(1, 8):
            place = f"k{counter % 3}"
            if put(storage, [held(place, counter, str(counter))], {"upto": str(counter)}):
                acknowledged[place] = noted = counter

    for crash in crash_points(operation):
        storage = opened(crash.disk(), segment_bytes=150)
        upto = int(storage.notes.get("upto", "0"))
        assert upto >= noted, crash
        for place, counter in acknowledged.items():
            assert storage.entry(place).version.counter >= counter, crash
        newest = max((storage.entry(f"k{number}").version.counter for number in range(3)), default=0)
        assert newest == upto, crash  # in one record, or neither


@pytest.mark.parametrize("what", ["append", "sync", "folder"])
@pytest.mark.parametrize("segment_bytes", [1, 1 << 20], ids=["a segment for every record", "one segment"])
def test_what_the_disk_does_not_take_is_not_held_and_what_it_takes_next_outlives_a_power_cut(
    what: str, segment_bytes: int
) -> None:
    files = FailingFiles()
    storage = opened(Disk(files), segment_bytes=segment_bytes)
    assert put(storage, [held("a", 1, "one")])
    files.failing = what
    took = put(storage, [held("a", 2, "two")])
    assert took == (what == "folder" and segment_bytes > 1)  # it needs no new name in the folder then
    assert storage.failing != took
    assert storage.entry("a").value == ("two" if took else "one")
    files.failing = ""
    assert put(storage, [held("a", 3, "three")])
    assert not storage.failing
    for left in files.survivors():
        assert opened(Disk(MemoryFiles(left))).entry("a").value == "three"


@pytest.mark.parametrize("what", ["append", "sync"])
def test_a_disk_that_failed_is_tried_again_although_nothing_is_to_be_written(what: str) -> None:
    files = FailingFiles()
    storage = opened(Disk(files))
    files.failing = what
    assert not put(storage, [held("a", 1)])
    storage.try_again()
    assert storage.failing
    files.failing = ""
    storage.try_again()
    assert not storage.failing
    assert put(storage, [held("a", 2, "two")])
    for left in files.survivors():
        assert values(opened(Disk(MemoryFiles(left)))) == {"a": "two"}


def test_a_node_that_dies_with_all_who_know_the_newest_map_has_lost_nothing() -> None:
    """n1 starts again with an old map, before the coordinator and n3, the owner by the newest map."""
    member = [Member("n1"), Member("n3")]
    old = first_map("consistent", member[:1], 1, 1, ())
    moving = advanced(joined(old, member[1], lambda now, members: [("n3",)]), Seen(), 1)
    assert moving is not None
    (partition,) = moving.partitions
    newest = advanced(moving, Seen(copied={(partition.low, partition.move): frozenset({"n3"})}), 1)
    assert newest is not None
    assert newest.partitions[0].owners == ("n3",)
    n1, n3 = opened(Disk(MemoryFiles())), opened(Disk(MemoryFiles()))
    put(n3, [held("a", 1)])
    invariant = OneOwnerWhoHasIt()
    knows = {"storage": n1, "map": moving, "opened": True, "start": 1}
    owner = {"storage": n3, "map": newest, "opened": True, "start": 1, "acknowledged": {"a": n3.entry("a")}}
    assert invariant.broken({"c": {"map": newest, "opened": True}, "n1": knows, "n3": owner}) is None
    assert invariant.broken({"n1": knows}) is None
    n3.forget("", None)
    assert "of its owners n3 in epoch 4 only 0 have it" in str(invariant.broken({"n1": knows, "n3": owner}))


def test_a_torn_end_is_cut_off_and_damage_before_it_is_not_taken_for_one() -> None:
    good = encode_line(b"one") + encode_line(b"two")
    assert lines(good) == ([b"one", b"two"], 0)
    assert lines(good[:-2]) == ([b"one"], len(encode_line(b"two")) - 2)
    assert lines(encode_line(b"one") + b"\0\0\0") == ([b"one"], 3)
    with pytest.raises(Damaged):
        lines(good.replace(b"one", b"onf"))


def test_a_damaged_segment_is_refused() -> None:
    storage = opened(Disk(files := MemoryFiles({})), segment_bytes=1 << 20)
    put(storage, [held("a", 1)])
    put(storage, [held("b", 1)])
    [name] = [name for name in files.names() if files.read(name)]
    damaged = (files.read(name) or b"").replace(b'"a"', b'"c"')
    with pytest.raises(Damaged):
        opened(Disk(MemoryFiles({name: damaged})))


def test_every_flipped_bit_of_a_message_is_noticed() -> None:
    message = sealed(b'{"place":"k1","value":"17"}')
    assert unsealed(message) == b'{"place":"k1","value":"17"}'
    for at in range(len(message)):
        for bit in range(8):
            flipped = bytearray(message)
            flipped[at] ^= 1 << bit
            with contextlib.suppress(Damaged):
                assert unsealed(bytes(flipped)) == b'{"place":"k1","value":"17"}', (at, bit)  # a digit's case may differ
