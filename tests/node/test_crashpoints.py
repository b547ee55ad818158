"""Crash points: every one is met, each leaves what a file system may leave, and stores that forget something are found out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.steering import PARTIAL
from harness.node.crashpoints import CrashPoint, MemoryFiles, crash_points
from harness.node.disk import Disk
from systems.parts.owner import UnknownOwner
from systems.quorum.bugs import BUGS, CORRECT, Rules
from systems.quorum.messages import Entry, Query, Store, Version
from systems.quorum.storage import Storage
from tests.helpers.effort import cases


def _left(crash: CrashPoint, name: str) -> str:
    return (crash.disk().read(name) or b"").decode()


def test_every_operation_is_died_in_once_and_the_end_comes_last() -> None:
    def operation(disk: Disk) -> None:
        disk.append("log", b"a")
        disk.sync("log")
        disk.replace("whole", b"b")

    seen = [(crash.number, crash.at) for crash in crash_points(operation)]
    assert list(dict.fromkeys(seen)) == [
        (1, "truncate log"),
        (2, "sync the folder"),
        (3, "append log"),
        (4, "sync log"),
        (5, f"truncate whole{PARTIAL}"),
        (6, f"append whole{PARTIAL}"),
        (7, f"sync whole{PARTIAL}"),
        (8, f"rename whole{PARTIAL} to whole"),
        (9, "sync the folder"),
        (9, "the end"),
    ]


def test_what_was_not_synced_survives_as_nothing_all_or_a_beginning() -> None:
    crashes = crash_points(lambda disk: disk.append("log", b"cdef"), {"log": b"ab"})
    assert {_left(crash, "log") for crash in crashes} == {"ab", "abc", "abcd", "abcde", "abcdef"}


def test_files_survive_each_for_itself() -> None:
    def operation(disk: Disk) -> None:
        disk.append("one", b"1")
        disk.append("two", b"2")

    crashes = crash_points(operation, {"one": b"", "two": b""})
    assert {(_left(crash, "one"), _left(crash, "two")) for crash in crashes} == {("", ""), ("1", ""), ("", "2"), ("1", "2")}


def test_file_is_replaced_whole_or_not_at_all_and_surely_at_the_end() -> None:
    crashes = list(crash_points(lambda disk: disk.replace("f", b"new content"), {"f": b"old"}))
    assert {_left(crash, "f") for crash in crashes} == {"old", "new content"}
    assert {_left(crash, "f") for crash in crashes if crash.at == "the end"} == {"new content"}


def test_new_file_is_there_for_good_once_something_was_appended_and_synced() -> None:
    def operation(disk: Disk) -> None:
        disk.append("f", b"a")
        disk.sync("f")

    assert {_left(crash, "f") for crash in crash_points(operation) if crash.at == "the end"} == {"a"}


class _Renames(Disk):
    """Replaces a file like many programs, without syncing the new one first."""

    def replace(self, name: str, data: bytes, *, check: Callable[[], None] = lambda: None) -> None:
        self._files.append(name + PARTIAL, data)
        check()
        self._files.rename(name + PARTIAL, name)
        self._files.sync_folder()


def test_replacing_without_a_sync_is_found_to_leave_an_empty_file() -> None:
    def operation(disk: Disk) -> None:
        _Renames(disk._files).replace("f", b"new")

    assert "" in {_left(crash, "f") for crash in crash_points(operation, {"f": b"old"})}


def test_the_dead_do_nothing_more() -> None:
    def operation(disk: Disk) -> None:
        try:
            disk.append("f", b"a")
        finally:
            disk.append("g", b"b")

    for crash in crash_points(operation, {"f": b"", "g": b""}):
        if crash.at != "the end" and "append g" not in crash.at:
            assert _left(crash, "g") == ""


_STEPS = st.lists(
    st.tuples(st.sampled_from(["append", "sync", "replace"]), st.sampled_from("fg"), st.binary(min_size=1, max_size=5)),
    max_size=6,
)


@given(_STEPS)
def test_a_crash_leaves_what_was_synced_and_a_beginning_of_what_came_after(steps: list[tuple[str, str, bytes]]) -> None:
    legal: dict[str, set[bytes]] = {}

    def operation(disk: Disk) -> None:
        legal.update({"f": {b""}, "g": {b""}})
        for kind, name, data in steps:
            now = disk.read(name) or b""
            if kind == "append":
                legal[name] |= {now + data[:end] for end in range(len(data) + 1)}
                disk.append(name, data)
            elif kind == "sync":
                disk.sync(name)
                legal[name] = {now}
            else:
                legal[name] |= {now, data}
                disk.replace(name, data)
                legal[name] = {data}

    for crash in crash_points(operation):
        assert all((crash.disk().read(name) or b"") in contents for name, contents in legal.items())


# ------------------------------------------------------------------------------------------------------- Quorum's storage


def _stores(count: int) -> list[Store]:
    return [Store(f"k{number % 3}", Entry(Version(number, "n1", 1), f"value {number}")) for number in range(1, count + 1)]


class _Life:
    """One life of a replica's storage: what it acknowledges, and its start numbers."""

    def __init__(self, rules: Rules, compact_at_bytes: int) -> None:
        self._rules = rules
        self._compact_at_bytes = compact_at_bytes
        self.acknowledged: dict[str, Version] = {}
        self.starts: list[int] = []

    def live(self, disk: Disk) -> None:
        """Start twice, and store entries each time, sometimes two at once."""
        self.acknowledged, self.starts = {}, []
        for life in range(2):
            storage = Storage(
                disk, lambda text: None, random=Random(1), rules=self._rules, compact_at_bytes=self._compact_at_bytes
            )
            self.starts.append(storage.start)
            asyncio.run(self._store(storage, _stores(8)[life * 4 : life * 4 + 4]))

    async def _store(self, storage: Storage, stores: list[Store]) -> None:
        await self._acknowledge(storage, stores[0])
        await asyncio.gather(*(self._acknowledge(storage, store) for store in stores[1:3]))
        await self._acknowledge(storage, stores[3])

    async def _acknowledge(self, storage: Storage, store: Store) -> None:
        if await storage.answer(store) is not None:
            self.acknowledged[store.key] = max(store.entry.version, self.acknowledged.get(store.key, Version(0, "", 0)))

    def wrong_after(self, crash: CrashPoint) -> str | None:
        """What the next start lacks, or uses a second time."""
        storage = Storage(crash.disk(), lambda text: None, random=Random(1))
        if storage.start in self.starts:
            return f"start {storage.start} again"
        for key, version in self.acknowledged.items():
            held = asyncio.run(storage.answer(Query(key)))
            if held is None or held.version < version:
                return f"{key} without its acknowledged {version}"
        return None


@pytest.mark.parametrize("compact_at_bytes", [1 << 20, 150])
def test_quorum_loses_nothing_and_reuses_no_start_at_any_crash_point(compact_at_bytes: int) -> None:
    life = _Life(CORRECT, compact_at_bytes)
    crashes = 0
    for crash in crash_points(life.live):
        crashes += 1
        assert life.wrong_after(crash) is None, f"{crash.at}, operation {crash.number}"
    assert crashes > 60
    assert set(life.acknowledged.values()) == {Version(number, "n1", 1) for number in (6, 7, 8)}


@pytest.mark.parametrize("bug", ["no-sync", "forgetful"])
def test_bugs_that_lose_acknowledged_entries_are_found(bug: str) -> None:
    life = _Life(BUGS.variant(bug), 1 << 20)
    wrong = [life.wrong_after(crash) for crash in crash_points(life.live)]
    assert any(text is not None and "without its acknowledged" in text for text in wrong)


def test_start_that_is_not_on_the_disk_before_it_is_used_is_found() -> None:
    life = _Life(CORRECT, 1 << 20)

    def operation(disk: Disk) -> None:
        life.live(_Renames(disk._files))

    with pytest.raises((AssertionError, ValueError, UnknownOwner)):  # a start number used twice, or an empty file
        for crash in crash_points(operation):
            assert life.wrong_after(crash) is None


SECOND_AT_EVERY = 42 // cases(6)


@pytest.mark.slow
def test_a_crash_in_the_start_after_a_crash_loses_nothing_either() -> None:
    life = _Life(CORRECT, 1 << 20)
    starts: list[Any] = []

    def start_again(disk: Disk) -> None:
        starts[:] = life.starts
        starts.append(Storage(disk, lambda text: None, random=Random(1)).start)

    for number, crash in enumerate(crash_points(life.live)):
        if number % SECOND_AT_EVERY == 0:
            for second in crash_points(start_again, crash.files):
                assert life.wrong_after(second) is None
                assert Storage(second.disk(), lambda text: None, random=Random(1)).start not in starts


def test_what_a_start_found_in_the_kernels_memory_alone_is_on_the_disk_before_it_is_told() -> None:
    files, store = MemoryFiles(), _stores(1)[0]

    def held_after_power_loss() -> list[Entry | None]:
        disks = [Disk(MemoryFiles(left)) for left in files.survivors()]
        return [asyncio.run(Storage(disk, lambda text: None, random=Random(1)).answer(Query(store.key))) for disk in disks]

    asyncio.run(Storage(Disk(files), lambda text: None, random=Random(1), rules=BUGS.variant("no-sync")).answer(store))
    assert Entry() in held_after_power_loss()
    again = Storage(Disk(files), lambda text: None, random=Random(1))  # the process died, and the machine did not
    assert asyncio.run(again.answer(Query(store.key))) == store.entry
    assert set(held_after_power_loss()) == {store.entry}
