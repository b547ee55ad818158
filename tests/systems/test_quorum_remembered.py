"""What a node must still know after a crash: which disks it may find, and which ones would make it forget."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from random import Random

import pytest

from harness.node.crashpoints import MemoryFiles
from harness.node.disk import Disk
from systems.parts.record_log.records import Mark, encode_mark, encode_record
from systems.quorum.messages import Accept, Ballot, Drop, Entry, Keep, Prepare, ReplicaRequest, Store, Version
from systems.quorum.records import encode_entries
from systems.quorum.remembered import forgotten
from systems.quorum.replica import Held, Release, Replica
from systems.quorum.storage import LOG, MARK, STARTS, Storage
from tests.helpers.deaths import deaths

BALLOT = Ballot(1, "n2", 1, 1)


def entry(counter: int) -> Entry:
    return Entry(Version(counter, "n1", 1), f"value {counter}")


NEXT = Entry(Version(1, "n1", 1, step=1), "next", BALLOT)

TURNS: list[list[ReplicaRequest | Release]] = [
    [Store("a", entry(1)), Keep("a", entry(1), "n2"), Keep("b", entry(1), "n2")],
    [Prepare("a", entry(1), BALLOT), Keep("a", entry(2), "n2")],
    [Accept("a", entry(1), BALLOT, NEXT), Release("b", entry(1).version, "n2")],
    [Store("b", entry(3)), Release("a", entry(2).version, "n2")],
]
"""What is asked of a replica, turn by turn."""


def opened(disk: Disk, *, memory: bool = False, compact_at_bytes: int = 1 << 20) -> Storage:
    replica = Replica(peers=("n2",))
    return Storage(disk, lambda text: None, random=Random(1), replica=replica, memory=memory, compact_at_bytes=compact_at_bytes)


def ask(storage: Storage, turn: list[ReplicaRequest | Release]) -> None:
    async def ask_all() -> None:
        left = asyncio.Semaphore(0)
        for request in turn:
            storage.ask(request, lambda _: left.release())
        for _ in turn:
            await left.acquire()

    asyncio.run(ask_all())


def asked(*, compact_at_bytes: int = 1 << 20) -> tuple[Storage, dict[str, bytes]]:
    """A replica that was asked for everything, and its files."""
    files = MemoryFiles()
    storage = opened(Disk(files), compact_at_bytes=compact_at_bytes)
    for turn in TURNS:
        ask(storage, turn)
    return storage, files.contents()


def found(files: Mapping[str, bytes]) -> Storage:
    return opened(Disk(MemoryFiles(files)))


@pytest.mark.parametrize("compact_at_bytes", [1, 300, 1 << 20])
def test_whenever_a_node_dies_it_remembers(compact_at_bytes: int) -> None:
    def live(node: Storage) -> None:
        for turn in TURNS:
            ask(node, turn)

    crashes = 0
    for node, crash in deaths(partial(opened, compact_at_bytes=compact_at_bytes), live):
        crashes += 1
        assert forgotten(node, opened(crash.disk())) is None, f"{crash.number}: {crash.at}"
    assert crashes > 30


def test_what_the_disk_did_not_take_may_be_there_or_not() -> None:
    node, files = asked()
    late = Held("c", entry(4))
    node.in_doubt.append(late)
    mark = Mark(1, len(files[LOG]))
    longer = files | {LOG: files[LOG] + encode_record(1, encode_entries([late])), MARK: encode_mark(mark)}
    for left in (files, longer):
        assert forgotten(node, found(left)) is None
    node.in_doubt.clear()
    assert "of key c, it would hold version 4 of n1 in place of nothing" in (forgotten(node, found(longer)) or "")


@pytest.mark.parametrize(
    ("logged", "lost"),
    [
        (Held("b", entry(2)), "of key b, it would hold version 2 of n1 in place of version 3 of n1"),
        (Held("a", entry(1)), "of key a, it would hold version 1 of n1 in place of version 1 of n1, whose successor has"),
        (Held("b", entry(1), "n2"), "of key b, kept for n2, it would hold version 1 of n1 in place of nothing"),
        (Held("b", Entry()), "of key b, it would hold nothing in place of version 3"),
    ],
)
def test_an_older_state_in_place_of_the_newest_is_forgotten(logged: Held, lost: str) -> None:
    node, files = asked()
    started = found(files)
    assert forgotten(node, started) is None
    if not logged.home:
        started.replica.logged(Held(logged.key, Entry()))
    started.replica.logged(logged)
    assert lost in (forgotten(node, started) or "")


def test_a_dropped_tombstones_counter_is_remembered() -> None:
    node, files = asked()
    node.replica.logged(Held("gone", Entry(floor=7)))
    assert "of all other keys" in (forgotten(node, found(files)) or "")
    started = found(files)
    started.replica.logged(Held("gone", Entry(floor=8)))
    assert forgotten(node, started) is None


def test_a_start_must_not_have_the_number_of_an_earlier_one() -> None:
    for memory in (False, True):
        files = MemoryFiles()
        opened(Disk(files), memory=memory)
        before = files.read(STARTS) or b""
        node = opened(Disk(files), memory=memory)
        assert forgotten(node, opened(Disk(files), memory=memory)) is None
        Disk(files).replace(STARTS, before)
        assert forgotten(node, opened(Disk(files), memory=memory)) == "start 2 would be followed by start 2"


def test_a_log_that_nothing_has_damaged_must_not_count_as_damaged() -> None:
    node, files = asked()
    whole = files[LOG]
    why = forgotten(node, found(files | {LOG: whole[: whole.rindex(b"\n", 0, -1) + 1]}))
    assert why is not None
    assert why.startswith("the log would count as damaged")


def test_a_replica_that_has_yet_to_ask_the_others_has_nothing_to_forget() -> None:
    _, files = asked()
    left = MemoryFiles(files | {LOG: b"x\n"})
    damaged = opened(Disk(left))
    assert damaged.damaged is not None
    assert forgotten(damaged, opened(Disk(left))) is None


class LeavesOutFloor(Replica):
    """A replica whose rewritten log does not say up to where counters of dropped keys went."""

    def entries(self) -> list[Held]:
        return [held for held in super().entries() if held.key]


@pytest.mark.parametrize(("kind", "remembers"), [(Replica, True), (LeavesOutFloor, False)])
def test_a_rewritten_log_holds_the_counters_of_dropped_keys(kind: type[Replica], remembers: bool) -> None:
    def open_(files: MemoryFiles) -> Storage:
        disk, replica = Disk(files), kind(peers=("n2",))
        return Storage(disk, lambda text: None, random=Random(1), replica=replica, compact_at_bytes=1)

    files, deleted = MemoryFiles(), Entry(Version(5, "n1", 1), None)
    node = open_(files)
    for turn in ([Store("a", deleted)], [Drop("a", deleted.version)], [Store("b", entry(1))]):
        ask(node, list(turn))
    assert node.replica.floor == 5
    why = forgotten(node, open_(MemoryFiles(files.contents())))
    assert why == (None if remembers else "of all other keys, it would know counters up to 0 only, and not 5")
