"""What a replica keeps on its disk: through crashes, torn writes, damage and disks that fail."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.node.crashpoints import MemoryFiles
from harness.node.disk import Disk
from harness.node.files import Files
from systems.parts.record_log.records import Mark, encode_mark
from systems.parts.record_log.records import encode_record as encode_data
from systems.quorum.messages import Entry, Query, Store
from systems.quorum.records import encode_entries
from systems.quorum.replica import Held, Replica
from systems.quorum.storage import LOG, MARK, STARTS, Storage
from tests.helpers.effort import cases
from tests.helpers.quorum_entries import answers, entry


class CountedFiles(Files):
    """Real files, with a count of syncs, and operations that fail while they are in `failing`."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.syncs = self.renames = 0
        self.failing: set[str] = set()

    def append(self, name: str, data: bytes) -> None:
        if "append" in self.failing:
            super().append(name, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        super().append(name, data)

    def rename(self, name: str, new: str) -> None:
        self.renames += 1
        super().rename(name, new)

    def sync(self, name: str) -> None:
        self.syncs += 1
        if "sync" in self.failing:
            raise OSError(errno.EIO, "Input/output error")
        super().sync(name)


def encode_record(generation: int, held: list[Held]) -> bytes:
    return encode_data(generation, encode_entries(held))


def holding(*held: Held) -> Replica:
    replica = Replica()
    for each in held:
        replica.merge(each)
    return replica


def opened(at: Path | CountedFiles, *, compact_at_bytes: int = 1 << 20, seed: int = 1) -> Storage:
    return Storage(Disk(at), lambda text: None, random=Random(seed), compact_at_bytes=compact_at_bytes)


RECORDS = [[Held("a", entry(1))], [Held("b", entry(2)), Held("c", entry(3))], [Held("a", entry(4))]]


def kept() -> dict[str, bytes]:
    """The files of a replica that acknowledged three records, one after another."""
    files = MemoryFiles()
    storage = Storage(Disk(files), lambda text: None, random=Random(1))
    for record in RECORDS:
        answers(storage, *(Store(held.key, held.entry) for held in record))
    return files.contents()


def found(files: Mapping[str, bytes] | MemoryFiles) -> Storage:
    """What a start makes of these files."""
    at = files if isinstance(files, MemoryFiles) else MemoryFiles(files)
    return Storage(Disk(at), lambda text: None, random=Random(1))


def test_what_was_stored_is_answered_and_comes_back(tmp_path: Path) -> None:
    storage = opened(tmp_path)
    assert answers(storage, Query("a")) == [Entry()]
    assert answers(storage, Store("a", entry(1)), Store("b", entry(2, "žluť\n"))) == [entry(1), entry(2, "žluť\n")]
    for _ in range(3):
        assert answers(opened(tmp_path), Query("a"), Query("b"), Query("c")) == [entry(1), entry(2, "žluť\n"), Entry()]


def test_starts_are_counted(tmp_path: Path) -> None:
    assert [opened(tmp_path).start for _ in range(3)] == [1, 2, 3]


@given(at=st.integers(0, 99), bit=st.integers(0, 7))
@settings(max_examples=cases(100), deadline=None)
def test_damaged_count_of_starts_is_noticed_and_no_number_comes_twice(at: int, bit: int) -> None:
    files = MemoryFiles()
    counted = [found(files).start for _ in range(11)]
    data = bytearray(files.contents()[STARTS])
    data[at % len(data)] ^= 1 << bit
    damaged = MemoryFiles(files.contents() | {STARTS: bytes(data)})
    said: list[str] = []
    drawn = Storage(Disk(damaged), said.append, random=Random(1)).start
    assert drawn > max(counted)
    assert said == [f"the count of starts is damaged: this one is drawn, {drawn}"]
    assert found(damaged).start == drawn + 1  # and from here on they are counted again


def test_count_of_starts_damaged_again_is_drawn_again(tmp_path: Path) -> None:
    starts = []
    for seed in range(50):
        starts.append(opened(tmp_path, seed=seed).start)
        (tmp_path / STARTS).write_bytes(b"")
    assert len(set(starts)) == 50


@pytest.mark.parametrize("log", [encode_record(1, [Held("a", entry(1))]), b"x" + encode_record(1, [Held("a", entry(1))])])
def test_lost_count_of_starts_does_not_begin_again_where_anything_was_stored(tmp_path: Path, log: bytes) -> None:
    Disk(tmp_path).replace(LOG, log)
    assert opened(tmp_path).start > 2**48


def test_an_older_entry_is_answered_with_the_newer_one_and_not_written(tmp_path: Path) -> None:
    files = CountedFiles(tmp_path)
    storage = opened(files)
    answers(storage, Store("a", entry(2)))
    syncs = files.syncs
    assert answers(storage, Store("a", entry(1)), Store("a", entry(2))) == [entry(2), entry(2)]
    assert files.syncs == syncs
    assert answers(opened(tmp_path), Query("a")) == [entry(2)]


def test_all_that_arrives_in_one_turn_shares_one_sync(tmp_path: Path) -> None:
    files = CountedFiles(tmp_path)
    storage = opened(files)
    syncs = files.syncs
    answers(storage, *(Store(f"key {number}", entry(number)) for number in range(1, 51)))
    assert files.syncs == syncs + 1


def test_nothing_is_told_before_it_is_on_the_disk(tmp_path: Path) -> None:
    storage = opened(tmp_path)

    async def ask_meanwhile() -> tuple[Entry | None, Entry | None]:
        storing = asyncio.ensure_future(storage.answer(Store("a", entry(1))))
        await asyncio.sleep(0)  # the store has begun, its sync has not
        before = await storage.answer(Query("a"))
        await storing
        return before, await storage.answer(Query("a"))

    assert asyncio.run(ask_meanwhile()) == (Entry(), entry(1))


def test_a_waiter_that_gives_up_spoils_nothing_for_the_others(tmp_path: Path) -> None:
    storage = opened(tmp_path)

    async def give_up_one() -> Entry | None:
        gone, staying = (asyncio.ensure_future(storage.answer(Store(key, entry(1)))) for key in "ab")
        await asyncio.sleep(0)
        gone.cancel()
        return await staying

    assert asyncio.run(give_up_one()) == entry(1)
    assert answers(opened(tmp_path), Query("a"), Query("b")) == [entry(1), entry(1)]


# ---------------------------------------------------------------------------------------------------- crashes and damage


def ends(log: bytes) -> list[int]:
    """Where the records of a log end."""
    return [at + 1 for at, byte in enumerate(log) if byte == ord("\n")]


WHOLE = [entry(4), entry(2), entry(3)]
KEYS = [Query("a"), Query("b"), Query("c")]


def test_a_torn_last_record_is_cut_off_wherever_it_is_torn() -> None:
    """Nothing in it was acknowledged. Its missing end may be zeros: a file's length may reach the disk before its content."""
    files = kept()
    torn = encode_record(1, [Held("a", entry(5)), Held("d", entry(6))])
    for zeros in (0, 1, 300):
        for length in range(len(torn)):
            left = MemoryFiles(files | {LOG: files[LOG] + torn[:length] + bytes(zeros)})
            assert answers(found(left), *KEYS, Store("d", entry(7))) == [*WHOLE, entry(7)]
            assert answers(found(left), *KEYS, Query("d")) == [*WHOLE, entry(7)]


def test_a_whole_record_that_was_not_acknowledged_is_kept() -> None:
    """The crash came between its sync and its mark."""
    files = kept()
    before = b"".join(files[MARK].splitlines(keepends=True)[:-1])
    for mark in (before, before + files[MARK].splitlines()[-1][:-3]):
        assert answers(found(files | {MARK: mark}), *KEYS) == WHOLE


@given(at=st.integers(0, 2000), bit=st.integers(0, 7))
@settings(max_examples=cases(200), deadline=None)
def test_a_flipped_bit_of_the_log_is_noticed_wherever_it_is(at: int, bit: int) -> None:
    files = kept()
    log = bytearray(files[LOG])
    log[at % len(log)] ^= 1 << bit
    storage = found(files | {LOG: bytes(log)})
    assert storage.damaged
    assert answers(storage, *KEYS) == [None] * 3


@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("marked", [True, False])
def test_a_last_line_end_with_a_flipped_bit_is_no_torn_record(bit: int, marked: bool) -> None:
    """Also if the mark of that record was lost: the record itself tells how long it is."""
    files = kept()
    mark = files[MARK] if marked else b"".join(files[MARK].splitlines(keepends=True)[:-1])
    log = files[LOG][:-1] + bytes([ord("\n") ^ 1 << bit])
    assert found(files | {LOG: log, MARK: mark}).damaged == "record 4 of the log is damaged"


def test_a_log_that_ends_before_what_was_acknowledged_is_noticed_wherever_it_ends() -> None:
    files = kept()
    for length in range(len(files[LOG])):
        damaged = found(files | {LOG: files[LOG][:length]}).damaged
        assert damaged, f"cut at {length}"
        if length in ends(files[LOG]):
            assert damaged == f"the log's first {length} bytes are whole, and {len(files[LOG])} were acknowledged"


@pytest.mark.parametrize(
    ("lost", "why"),
    [
        ({LOG: b""}, "the log is empty"),
        ({LOG: None}, "the log is lost"),
        ({LOG: None, MARK: None}, "the log is lost"),
        ({MARK: None}, "the log has 4 records, and its mark is lost"),
        ({MARK: b""}, "the mark of what was acknowledged is damaged"),
    ],
)
def test_a_lost_file_is_noticed(lost: dict[str, bytes | None], why: str) -> None:
    files: dict[str, bytes | None] = {**kept(), **lost}
    left = MemoryFiles({name: data for name, data in files.items() if data is not None})
    storage = found(left)
    assert storage.damaged == why
    assert (storage.start, found(left).start) == (2, 3)  # the starts are still counted


def test_an_older_log_in_place_of_the_newest_is_noticed() -> None:
    older = kept()
    files = MemoryFiles(older)
    assert answers(found(files), Store("a", entry(9))) == [entry(9)]
    assert "is an older one" in (found(files.contents() | {LOG: older[LOG]}).damaged or "")


@given(at=st.integers(0, 2000), bit=st.integers(0, 7))
@settings(max_examples=cases(100), deadline=None)
def test_a_flipped_bit_of_the_mark_never_hides_anything(at: int, bit: int) -> None:
    files = kept()
    mark = bytearray(files[MARK])
    mark[at % len(mark)] ^= 1 << bit
    storage = found(files | {MARK: bytes(mark)})
    assert answers(storage, *KEYS) == ([None] * 3 if storage.damaged else WHOLE)


def test_a_crash_between_a_new_log_and_its_mark_loses_nothing() -> None:
    old = kept()
    new = MemoryFiles(old)
    found(new)
    assert answers(found(old | {LOG: new.contents()[LOG]}), *KEYS) == WHOLE


@pytest.mark.parametrize("number", [1, 2, 3])
def test_damaged_replica_tells_and_takes_nothing_until_the_others_have_told(tmp_path: Path, number: int) -> None:
    records = [encode_record(1, [Held("a", entry(number))]) for number in (1, 2, 3)]
    records[number - 1] = b"x" + records[number - 1][1:]
    Disk(tmp_path).replace(LOG, b"".join(records))
    Disk(tmp_path).replace(MARK, encode_mark(Mark(1, sum(map(len, records)))))
    opened(tmp_path)
    damaged = opened(tmp_path)  # also at a second start
    assert damaged.damaged == f"record {number} of the log is damaged"
    assert damaged.entries() is None
    assert answers(damaged, Query("a"), Store("b", entry(9))) == [None, None]
    damaged.restore(holding(Held("a", entry(2)), Held("a", entry(3)), Held("b", entry(4))))
    for storage in (damaged, opened(tmp_path)):
        assert answers(storage, Query("a"), Query("b")) == [entry(3), entry(4)]


def test_disk_that_does_not_take_what_the_others_hold_leaves_the_replica_damaged(tmp_path: Path) -> None:
    files = CountedFiles(tmp_path)
    Disk(files).replace(LOG, b"x\n")
    storage = opened(files)
    files.failing = {"sync"}
    with pytest.raises(OSError, match="Input/output error"):
        storage.restore(holding(Held("a", entry(1))))
    assert answers(storage, Query("a")) == [None]


# ------------------------------------------------------------------------------------------------------- disks that fail


@pytest.mark.parametrize("operation", ["append", "sync"])
def test_what_the_disk_does_not_take_is_not_acknowledged_and_spoils_nothing(tmp_path: Path, operation: str) -> None:
    files = CountedFiles(tmp_path)
    storage = opened(files)
    answers(storage, Store("a", entry(1)))
    files.failing = {operation}
    assert answers(storage, Store("a", entry(2)), Store("b", entry(3))) == [None, None]
    assert answers(storage, Store("b", entry(4))) == [None]
    assert answers(storage, Query("a"), Query("b")) == [entry(1), Entry()]
    files.failing = set()
    assert answers(storage, Store("c", entry(5))) == [entry(5)]
    assert answers(storage, Store("c", entry(6))) == [entry(6)]
    assert answers(opened(tmp_path), Query("a"), Query("b"), Query("c")) == [entry(1), Entry(), entry(6)]


@pytest.mark.parametrize("operation", ["append", "sync"])
def test_what_the_disk_does_not_take_for_long_does_not_fill_the_memory(tmp_path: Path, operation: str) -> None:
    files = CountedFiles(tmp_path)
    storage = opened(files)
    files.failing = {operation}
    for number in range(1, 101):
        assert answers(storage, Store(f"key {number}", entry(number))) == [None]
    assert storage.in_doubt == [Held("key 1", entry(1))]  # nothing that came later has been near the disk
    files.failing = set()
    assert answers(storage, Store("a", entry(1))) == [entry(1)]
    assert storage.in_doubt == []
    assert opened(tmp_path).replica.by_key == {"a": entry(1)}


def test_after_a_failed_sync_everything_is_written_anew(tmp_path: Path) -> None:
    """A sync that succeeds after one that failed does not mean that the first one's data is on the disk."""
    files = CountedFiles(tmp_path)
    storage = opened(files)
    answers(storage, Store("a", entry(1)))
    renames = files.renames
    files.failing = {"sync"}
    answers(storage, Store("a", entry(2)))
    files.failing = set()
    answers(storage, Store("b", entry(3)))
    assert files.renames == renames + 2  # the log and its mark


# ----------------------------------------------------------------------------------------------------------- compaction


def test_a_long_log_is_replaced_by_its_newest_entries(tmp_path: Path) -> None:
    storage = opened(tmp_path, compact_at_bytes=2000)
    for number in range(1, 501):
        answers(storage, Store(f"key {number % 5}", entry(number)))
        assert (tmp_path / LOG).stat().st_size < 2500
    assert answers(opened(tmp_path), *(Query(f"key {number % 5}") for number in range(496, 501))) == [
        entry(number) for number in range(496, 501)
    ]


def test_entries_that_are_all_needed_are_not_written_again_at_every_store(tmp_path: Path) -> None:
    files = CountedFiles(tmp_path)
    storage = opened(files, compact_at_bytes=1000)
    for number in range(1, 201):
        answers(storage, Store(f"key {number}", entry(number)))
    assert files.renames < 20
    assert answers(opened(tmp_path), *(Query(f"key {number}") for number in range(1, 201))) == [
        entry(number) for number in range(1, 201)
    ]
