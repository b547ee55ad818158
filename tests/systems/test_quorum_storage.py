"""What a replica keeps on its disk: through crashes, torn writes, damage and disks that fail."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.node.disk import Disk
from harness.node.files import Files
from systems.quorum.messages import Entry, Query, ReplicaRequest, Store, Version
from systems.quorum.replica import DamagedLog, Held, Replica, decode_log, encode_record
from systems.quorum.storage import LOG, STARTS, Storage


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


def entry(counter: int, value: str | None = None) -> Entry:
    return Entry(Version(counter, "n1", 1), value or f"value {counter}")


def opened(at: Path | CountedFiles, *, compact_at_bytes: int = 1 << 20, seed: int = 1) -> Storage:
    return Storage(Disk(at), lambda text: None, random=Random(seed), compact_at_bytes=compact_at_bytes)


def answers(storage: Storage, *requests: ReplicaRequest) -> list[Entry | None]:
    """The answers to requests that arrive in one turn of the loop."""

    async def ask_all() -> list[Entry | None]:
        return await asyncio.gather(*map(storage.answer, requests))

    return asyncio.run(ask_all())


def test_what_was_stored_is_answered_and_comes_back(tmp_path: Path) -> None:
    storage = opened(tmp_path)
    assert answers(storage, Query("a")) == [Entry()]
    assert answers(storage, Store("a", entry(1)), Store("b", entry(2, "žluť\n"))) == [entry(1), entry(2, "žluť\n")]
    for _ in range(3):
        assert answers(opened(tmp_path), Query("a"), Query("b"), Query("c")) == [entry(1), entry(2, "žluť\n"), Entry()]


def test_starts_are_counted(tmp_path: Path) -> None:
    assert [opened(tmp_path).start for _ in range(3)] == [1, 2, 3]


@given(at=st.integers(0, 99), bit=st.integers(0, 7))
@settings(max_examples=100, deadline=None)
def test_damaged_count_of_starts_is_noticed_and_no_number_comes_twice(
    tmp_path_factory: pytest.TempPathFactory, at: int, bit: int
) -> None:
    folder = tmp_path_factory.mktemp("starts")
    counted = [opened(folder).start for _ in range(11)]
    data = bytearray((folder / STARTS).read_bytes())
    data[at % len(data)] ^= 1 << bit
    (folder / STARTS).write_bytes(data)
    said: list[str] = []
    drawn = Storage(Disk(folder), said.append, random=Random(1)).start
    assert drawn > max(counted)
    assert said == [f"the count of starts is damaged: this one is drawn, {drawn}"]
    assert opened(folder).start == drawn + 1  # and from here on they are counted again


def test_count_of_starts_damaged_again_is_drawn_again(tmp_path: Path) -> None:
    starts = []
    for seed in range(50):
        starts.append(opened(tmp_path, seed=seed).start)
        (tmp_path / STARTS).write_bytes(b"")
    assert len(set(starts)) == 50


@pytest.mark.parametrize("log", [encode_record([Held("a", entry(1))]), b"x" + encode_record([Held("a", entry(1))])])
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


def test_whoever_gives_up_waiting_spoils_nothing_for_the_others(tmp_path: Path) -> None:
    storage = opened(tmp_path)

    async def give_up_one() -> Entry | None:
        gone, staying = (asyncio.ensure_future(storage.answer(Store(key, entry(1)))) for key in "ab")
        await asyncio.sleep(0)
        gone.cancel()
        return await staying

    assert asyncio.run(give_up_one()) == entry(1)
    assert answers(opened(tmp_path), Query("a"), Query("b")) == [entry(1), entry(1)]


# ---------------------------------------------------------------------------------------------------- crashes and damage


def test_a_torn_last_record_is_cut_off_wherever_it_is_torn(tmp_path: Path) -> None:
    first, second = encode_record([Held("a", entry(1))]), encode_record([Held("a", entry(2)), Held("b", entry(3))])
    for length in range(len(second)):
        folder = tmp_path / str(length)
        Disk(folder).replace(LOG, first + second[:length])
        assert answers(opened(folder), Query("a"), Query("b")) == [entry(1), Entry()]
        answers(opened(folder), Store("b", entry(4)))
        assert answers(opened(folder), Query("a"), Query("b")) == [entry(1), entry(4)]


def test_a_last_record_of_zeros_is_cut_off(tmp_path: Path) -> None:
    """So a file may end whose length reached the disk before its content."""
    Disk(tmp_path).replace(LOG, encode_record([Held("a", entry(1))]) + bytes(300))
    assert answers(opened(tmp_path), Query("a")) == [entry(1)]


@given(at=st.integers(0, 200), bit=st.integers(0, 7))
@settings(max_examples=200)
def test_a_flipped_bit_is_never_read_as_data(at: int, bit: int) -> None:
    good = [Held("a", entry(1)), Held("b", entry(2)), Held("c", entry(3))]
    data = bytearray(b"".join(encode_record([held]) for held in good))
    data[at % len(data)] ^= 1 << bit
    try:
        entries, torn_bytes = decode_log(bytes(data))
    except DamagedLog:
        return
    assert entries == good[:2]  # without its line end, the last record is taken for a torn one
    assert torn_bytes == len(encode_record([good[2]]))
    assert at % len(data) == len(data) - 1


@pytest.mark.parametrize("number", [1, 2, 3])
def test_damaged_replica_tells_and_takes_nothing_until_the_others_have_told(tmp_path: Path, number: int) -> None:
    records = [encode_record([Held("a", entry(number))]) for number in (1, 2, 3)]
    records[number - 1] = b"x" + records[number - 1][1:]
    Disk(tmp_path).replace(LOG, b"".join(records))
    opened(tmp_path)
    damaged = opened(tmp_path)  # also at a second start
    assert damaged.damaged == f"record {number} of 3 in the log is damaged"
    assert damaged.entries() is None
    assert answers(damaged, Query("a"), Store("b", entry(9))) == [None, None]
    damaged.restore([Held("a", entry(2)), Held("a", entry(3)), Held("b", entry(4))])
    for storage in (damaged, opened(tmp_path)):
        assert answers(storage, Query("a"), Query("b")) == [entry(3), entry(4)]


def test_disk_that_does_not_take_what_the_others_hold_leaves_the_replica_damaged(tmp_path: Path) -> None:
    files = CountedFiles(tmp_path)
    Disk(files).replace(LOG, b"x\n")
    storage = opened(files)
    files.failing = {"sync"}
    with pytest.raises(OSError, match="Input/output error"):
        storage.restore([Held("a", entry(1))])
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
    assert files.renames == renames + 1


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
    assert files.renames < 10
    assert answers(opened(tmp_path), *(Query(f"key {number}") for number in range(1, 201))) == [
        entry(number) for number in range(1, 201)
    ]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 9), st.sampled_from(["n1", "n2"])), max_size=30))
def test_a_replica_holds_the_newest_of_each_key_in_whatever_order_entries_come(stores: list[tuple[str, int, str]]) -> None:
    replica = Replica()
    entries = [Held(key, Entry(Version(counter, writer, 1), f"{counter}{writer}")) for key, counter, writer in stores]
    for held in entries:
        replica.logged(held)
    for key in "abc":
        newest = max((held.entry for held in entries if held.key == key), key=lambda each: each.version, default=Entry())
        assert replica.entry(key) == newest
