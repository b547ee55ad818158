"""What an eventual replica keeps on its disk: through crashes, damage and disks that fail."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.node.crashpoints import MemoryFiles, crash_points
from harness.node.disk import Disk
from harness.node.files import Files as RealFiles
from harness.simulation.disk import HostFiles, MemoryDisk
from harness.simulation.rewriting import Rewriting
from systems.eventual.files import ENTRIES, OUTBOX, Files, Found
from systems.eventual.graves import Graves
from systems.eventual.identity import IDENTITY, Identity
from systems.eventual.messages import Context, State
from systems.eventual.outbox import Outbox
from systems.eventual.recovery import start
from systems.eventual.remembered import forgotten, outdated
from systems.eventual.replica import Replica
from systems.eventual.resolution import KeepSiblings
from systems.eventual.storage import IN_DOUBT_SHOWN, Arrival, Change, Forget, Outcome, Storage, Write
from systems.parts.owner import OtherNode
from tests.helpers.deaths import deaths
from tests.helpers.effort import cases

PEERS = ["n2", "n3"]


class Node:
    """The storage of n1 as a start finds it."""

    def __init__(
        self, disk: Disk, *, hints: int = 100, compact_at_bytes: int = 1 << 20, peers: Sequence[str] = PEERS, seed: int = 1
    ) -> None:
        self.said: list[str] = []
        files = Files(disk, self.said.append, compact_at_bytes=compact_at_bytes)
        self.found: Found
        self.whose: Identity
        self.found, self.whose = start(disk, files, "c", "n1", random=Random(seed), log=self.said.append)
        self.resolution = KeepSiblings(self.whose.actor)
        self.replica = Replica(self.resolution, Graves(peers, grace_s=1))
        self.outbox = Outbox(peers, most=hints, keep_s=60)
        for key, state in self.found.held.items():
            self.replica.put(key, state, 0)
        for key in self.found.waiting:
            self.outbox.leave(key, self.found.held[key], 0, again=True)
        self.storage = Storage(self.replica, self.outbox, files, clock=lambda: 0.0, log=self.said.append)

    def change(self, *changes: Change) -> list[Outcome]:
        """The outcome of each of several changes that arrive in one turn of the loop."""

        async def together() -> list[Outcome]:
            return [outcome for outcome, _ in await asyncio.gather(*(self.storage.change([change]) for change in changes))]

        return asyncio.run(together())

    def write(self, *pairs: tuple[str, str]) -> list[Outcome]:
        return self.change(*(Write(key, value, Context()) for key, value in pairs))

    def state(self, key: str) -> State:
        state = self.replica.state(key)
        assert state is not None
        return state

    def values(self) -> dict[str, list[str]]:
        return {key: self.resolution.values(state) for key, state in self.replica.states()}


def other(key: str, value: str) -> Arrival:
    """What n2 has written."""
    return Arrival(key, KeepSiblings("n2").written(None, value, Context()))


def kept() -> dict[str, bytes]:
    """The files of a node that wrote `a` and `b` and was told of `c`."""
    files = MemoryFiles()
    node = Node(Disk(files))
    node.write(("a", "1"))
    node.change(other("c", "2"))
    node.write(("b", "3"))
    return files.contents()


ALL = {"a": ["1"], "b": ["3"], "c": ["2"]}
OWN = {"a": ["1"], "b": ["3"]}


def again(files: Mapping[str, bytes]) -> Node:
    return Node(Disk(MemoryFiles(files)), seed=2)


def test_what_was_written_comes_back_and_still_waits_for_the_others() -> None:
    node = again(kept())
    assert node.values() == ALL
    assert node.outbox.keys() == {"a", "b"}
    assert node.whose == Node(Disk(MemoryFiles())).whose


def test_what_arrives_in_one_turn_shares_its_syncs_and_later_ones_see_earlier_ones(tmp_path: Path) -> None:
    node = Node(Disk(tmp_path))
    assert node.write(("k", "1"), ("k", "2"), ("l", "3")) == ["done"] * 3
    assert node.values() == {"k": ["1", "2"], "l": ["3"]}


def test_writes_of_one_turn_do_not_share_the_last_room() -> None:
    node = Node(Disk(MemoryFiles()), hints=2)
    assert node.write(("a", "1"), ("b", "2"), ("c", "3"), ("a", "4")) == ["done", "done", "full", "done"]
    assert node.change(other("d", "5")) == ["done"]
    assert node.write(("c", "6")) == ["full"]
    assert sorted(node.values()) == ["a", "b", "d"]


def test_whatever_moment_it_dies_at_acknowledged_writes_are_there_and_hinted() -> None:
    acknowledged: dict[str, list[str]] = {}

    def operation(disk: Disk) -> None:
        acknowledged.clear()
        node = Node(disk, compact_at_bytes=400)
        for number in range(4):
            key = f"k{number % 3}"
            if node.write((key, f"{number}")) == ["done"]:
                acknowledged.setdefault(key, []).append(str(number))

    for crash in crash_points(operation):
        node = Node(crash.disk())
        for key, values in acknowledged.items():
            assert set(values) <= set(node.values().get(key, [])), (crash.number, crash.at)
            assert node.outbox.keys() >= {key}, (crash.number, crash.at)


def test_a_long_outbox_is_rewritten_without_the_entries() -> None:
    rewriting = Rewriting(lambda: 0)
    node = Node(
        Disk(HostFiles(MemoryDisk(Random(1)), "data", lambda operation, seconds: None, rewriting)), compact_at_bytes=2000
    )
    node.write(*((f"k{number}", "x" * 1000) for number in range(100)))
    for _ in range(300):
        for peer in PEERS:
            for hint in node.outbox.oldest(peer, 100):
                node.outbox.delivered(peer, hint, 0)
        node.change(Write("k0", "y" * 100, node.resolution.context(node.state("k0"))))
    assert rewriting.found is None


@pytest.mark.parametrize("name", [ENTRIES, OUTBOX, "entries.mark", "outbox.mark", IDENTITY])
@given(at=st.integers(0, 2000), bit=st.integers(0, 7))
@settings(max_examples=cases(40), deadline=None)
def test_one_flipped_bit_loses_nothing_that_no_other_replica_has(name: str, at: int, bit: int) -> None:
    files = kept()
    before = again(files)
    data = bytearray(files[name])
    data[at % len(data)] ^= 1 << bit
    node = again(files | {name: bytes(data)})
    assert node.values() == (OWN if node.whose.learning else ALL)
    assert node.outbox.keys() >= OWN.keys()
    if node.values() != ALL or name == IDENTITY:
        assert node.whose.actor != before.whose.actor  # what it had counted may be lost


@pytest.mark.parametrize("lost", [ENTRIES, OUTBOX, "entries.mark", "outbox.mark"])
def test_a_lost_file_is_noticed(lost: str) -> None:
    node = again({name: data for name, data in kept().items() if name != lost})
    assert node.values() == (OWN if lost.startswith("entries") else ALL)
    assert node.outbox.keys() >= OWN.keys()
    assert node.whose.learning == lost.startswith("entries")


def test_what_a_node_writes_after_its_disk_was_replaced_is_no_write_that_others_have_of_it() -> None:
    """Otherwise one version would have two values, or the new one count as replaced, and be lost."""
    before, after = again(kept()), again({})
    after.write(("a", "2"))
    for one, two in ((before, after), (after, before)):
        assert one.resolution.values(one.resolution.merged(one.state("a"), two.state("a"))) in (["1", "2"], ["2", "1"])


def test_a_death_soon_after_damage_was_found_does_not_hide_it() -> None:
    """It counts its writes anew, and still has to relearn the rest, at every start until it has done so."""
    files = kept()
    before = files | {ENTRIES: b"x" + files[ENTRIES][1:]}
    for crash in crash_points(Node, before):
        node = Node(crash.disk())
        assert node.whose.learning, crash.at
        assert node.whose.actor != again(files).whose.actor, crash.at
        assert node.values() == OWN, crash.at


def test_a_collected_tombstone_stays_away_after_damage() -> None:
    files = MemoryFiles()
    node = Node(Disk(files))
    node.write(("k", "1"))
    node.change(Write("k", None, node.resolution.context(node.replica.state("k"))))
    assert node.values() == {"k": []}
    assert node.change(Forget("k", node.state("k"))) == ["done"]
    left = files.contents()
    for damaged in ({}, {ENTRIES: b""}, {OUTBOX: b""}):
        assert again(left | damaged).values() == {}


def test_a_key_that_was_written_again_is_not_forgotten() -> None:
    node = Node(Disk(MemoryFiles()))
    node.write(("k", "1"))
    node.change(Write("k", None, node.resolution.context(node.state("k"))))
    tombstone = node.state("k")
    node.write(("k", "2"))
    assert node.change(Forget("k", tombstone)) == ["done"]
    assert node.values() == {"k": ["2"]}


def test_a_key_that_is_deleted_again_as_its_tombstone_is_forgotten_has_a_new_tombstone() -> None:
    """No other replica has the new one yet."""
    node = Node(Disk(MemoryFiles()))
    node.change(Write("k", None, Context()))
    old = node.state("k")
    assert node.change(Write("k", None, Context()), Forget("k", old)) == ["done", "done"]
    assert node.values() == {"k": []}
    assert node.outbox.keys() == {"k"}
    assert node.change(Forget("k", node.state("k"))) == ["done"]
    assert node.values() == {}


@pytest.mark.parametrize(("cluster", "name"), [("c", "n2"), ("another", "n1")])
def test_the_data_of_another_node_are_not_touched(cluster: str, name: str) -> None:
    files = MemoryFiles(kept())
    disk = Disk(files)
    with pytest.raises(OtherNode, match="this folder holds the data of n1 of cluster 'c'"):
        start(disk, Files(disk, print, compact_at_bytes=1000), cluster, name, random=Random(1), log=print)
    assert files.contents() == kept()


# ------------------------------------------------------------------------------------------------------- disks that fail


class FailingFiles(RealFiles):
    """Real files of which some operations fail."""

    failing = ""
    on = ""

    def append(self, name: str, data: bytes) -> None:
        if self.failing == "append" and name.startswith(self.on):
            super().append(name, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        super().append(name, data)

    def sync(self, name: str) -> None:
        if self.failing == "sync" and name.startswith(self.on):
            raise OSError(errno.EIO, "Input/output error")
        super().sync(name)


@pytest.mark.parametrize(
    ("failing", "on", "outcome"),
    [("append", "", "refused"), ("append", "entries", "unknown"), ("sync", "", "unknown"), ("sync", "entries", "unknown")],
)
def test_what_the_disk_does_not_take_cannot_be_read_and_spoils_nothing(
    tmp_path: Path, failing: str, on: str, outcome: Outcome
) -> None:
    files = FailingFiles(tmp_path)
    node = Node(Disk(files))
    node.write(("a", "1"))
    files.failing, files.on = failing, on
    assert node.write(("b", "2")) == [outcome]
    assert node.values() == {"a": ["1"]}
    assert node.outbox.keys() == {"a"}
    files.failing = ""
    assert node.write(("c", "3")) == ["done"]
    assert Node(Disk(tmp_path)).values() == {"a": ["1"], "c": ["3"]}


def test_however_long_a_disk_takes_nothing_what_is_in_doubt_does_not_fill_the_memory(tmp_path: Path) -> None:
    files = FailingFiles(tmp_path)
    node = Node(Disk(files), hints=IN_DOUBT_SHOWN + 1)
    files.failing = "append"
    assert set(node.write(*((f"k{number}", "1") for number in range(IN_DOUBT_SHOWN + 1)))) == {"refused"}
    assert node.write(("last", "1")) == ["refused"]
    assert len(node.storage.in_doubt) == IN_DOUBT_SHOWN
    assert "last" in dict(node.storage.in_doubt)


def test_while_the_disk_may_hold_a_value_being_told_of_its_tombstone_is_not_done_without_a_write(tmp_path: Path) -> None:
    files = FailingFiles(tmp_path)
    node, value = Node(Disk(files)), other("k", "1")
    gone = Arrival("k", node.resolution.written(value.state, None, node.resolution.context(value.state)), fresh=False)
    files.failing, files.on = "sync", "entries"
    assert node.change(value) == ["unknown"]
    assert node.change(gone) == ["unknown"]
    files.failing = ""
    assert node.change(gone) == ["done"]
    assert node.values() == Node(Disk(tmp_path)).values() == {}


# --------------------------------------------------------------------------------------------------------- remembering


def lost(node: Node, files: Mapping[str, bytes]) -> str | None:
    """What a node would have forgotten with these files."""
    held, started = dict(node.replica.states()), again(files)
    why = forgotten(held, node.whose, node.storage.in_doubt, started.found, started.whose)
    copies = Files(Disk(MemoryFiles(files)), lambda text: None, compact_at_bytes=1 << 20).copies()
    return why or outdated(held, node.storage.in_doubt, copies)


@pytest.mark.parametrize("compact_at_bytes", [1, 1 << 20])
def test_whenever_a_node_dies_it_remembers(compact_at_bytes: int) -> None:
    def live(node: Node) -> None:
        node.write(("a", "1"), ("b", "1"))
        node.change(other("a", "2"), other("c", "2"))
        node.change(Write("b", None, Context()), other("a", "3"))
        node.change(Forget("b", node.state("b")))

    crashes = 0
    for node, crash in deaths(partial(Node, compact_at_bytes=compact_at_bytes), live):
        crashes += 1
        assert lost(node, crash.files) is None, f"{crash.number}: {crash.at}"
    assert crashes > 30


def test_what_a_start_does_not_find_is_forgotten() -> None:
    files = MemoryFiles()
    node = Node(Disk(files))
    node.write(("a", "1"))
    before = files.contents()
    node.change(other("c", "2"))
    earlier = files.contents()
    node.write(("b", "3"))
    assert lost(node, files.contents()) is None
    assert "it would count as damaged" in (lost(node, files.contents() | {ENTRIES: before[ENTRIES]}) or "")
    assert "of key b, it would hold nothing in place of {" in (lost(node, earlier) or "")
    assert "of key c, it would hold nothing" in (lost(node, before) or "")
    node.storage.in_doubt += [("b", None), ("c", None)]
    assert lost(node, before) is None


def test_what_a_node_wrote_is_not_left_as_it_was_in_the_second_copy() -> None:
    files = MemoryFiles()
    node = Node(Disk(files))
    node.write(("a", "1"))
    before = files.contents()
    node.change(other("a", "2"))
    left = {name: data for name, data in before.items() if name.startswith("outbox")}
    assert "if its entries were damaged" in (lost(node, files.contents() | left) or "")
    node.storage.in_doubt += [("a", Node(Disk(MemoryFiles(before))).state("a"))]
    assert lost(node, files.contents() | left) is None
    assert lost(node, {name: data for name, data in files.contents().items() if not name.startswith("outbox")}) is None
