"""What a Raft node keeps on its disk: restarts, crashes at every file operation, damage, and folders of other nodes."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.node.crashpoints import MemoryFiles
from harness.node.disk import Disk
from systems.parts.owner import OtherNode
from systems.parts.record_log import Damaged
from systems.raft.core.core import Core, Output, Saved
from systems.raft.core.messages import Entry, Members, Snapshot, Vows
from systems.raft.storage import IDENTITY, LOG, MARK, Storage
from tests.helpers.effort import cases

MEMBERS = Members(("n1", "n2", "n3"))


def opened(at: Path | MemoryFiles, *, node: str = "n1", cluster: str = "c", compact_at_bytes: int = 1 << 20) -> Storage:
    return Storage(Disk(at), cluster=cluster, node=node, compact_at_bytes=compact_at_bytes)


def core_of(saved: Saved) -> Core:
    return Core("n1", MEMBERS, random=Random(1), saved=saved)


def begun(at: Path | MemoryFiles) -> tuple[Storage, Core]:
    storage = opened(at)
    core = core_of(storage.load())
    storage.write_anew(core)
    return storage, core


def entries(*terms: int, first: int = 1) -> tuple[Entry, ...]:
    return tuple(Entry(first + place, term, f"x{first + place}") for place, term in enumerate(terms))


def kept() -> MemoryFiles:
    """The files of a node that saved three times."""
    files = MemoryFiles()
    storage, core = begun(files)
    storage.save(Output(vows=Vows(1, "n1"), entries=entries(1, 1)), core)
    storage.save(Output(entries=entries(1, 1, first=3)), core)
    storage.save(Output(vows=Vows(2), entries=entries(2, 2, first=3)), core)
    return files


def test_a_new_node_finds_nothing(tmp_path: Path) -> None:
    assert opened(tmp_path).load() == Saved(entries=[])


def test_what_was_saved_comes_back_with_later_entries_in_the_place_of_earlier_ones() -> None:
    saved = opened(kept()).load()
    assert saved.vows == Vows(2)
    assert tuple(saved.entries) == (*entries(1, 1), *entries(2, 2, first=3))
    assert saved.base_members == MEMBERS


def test_a_snapshot_takes_the_place_of_what_it_holds() -> None:
    files = kept()
    storage = opened(files)
    core = core_of(storage.load())
    storage.write_anew(core)
    snapshot = Snapshot(3, 2, MEMBERS, "state")
    core.compact(snapshot, keep=1)
    storage.write_anew(core)
    saved = opened(files).load()
    assert (saved.snapshot, saved.base_index, saved.base_term) == (snapshot, 2, 1)
    assert tuple(saved.entries) == entries(2, 2, first=3)


def test_it_is_due_for_a_snapshot_when_it_has_grown_and_not_again_at_once(tmp_path: Path) -> None:
    storage = opened(tmp_path, compact_at_bytes=2000)
    core = core_of(storage.load())
    storage.write_anew(core)
    assert not storage.long
    for number in range(1, 40):
        storage.save(Output(entries=entries(1, first=number)), core)
    assert storage.long
    storage.write_anew(core)
    assert not storage.long


@given(at=st.integers(0, 5000), bit=st.integers(0, 7), name=st.sampled_from([LOG, MARK, IDENTITY]))
@settings(max_examples=cases(200), deadline=None)
def test_a_flipped_bit_is_noticed_or_changes_nothing(at: int, bit: int, name: str) -> None:
    files = kept()
    good = opened(files).load()
    damaged = {file: bytearray(files.read(file) or b"") for file in files.names()}
    damaged[name][at % len(damaged[name])] ^= 1 << bit
    storage = opened(MemoryFiles({file: bytes(data) for file, data in damaged.items()}))
    try:
        found = storage.load()
    except Damaged:
        return
    assert found == good


@pytest.mark.parametrize("lost", [(LOG,), (LOG, MARK), (MARK,)])
def test_a_lost_file_is_noticed(lost: tuple[str, ...]) -> None:
    files = kept()
    left = MemoryFiles({name: data for name, data in files.contents().items() if name not in lost})
    with pytest.raises(Damaged):
        opened(left).load()


def test_a_lost_identity_is_read_from_the_log() -> None:
    files = kept()
    left = MemoryFiles({name: data for name, data in files.contents().items() if name != IDENTITY})
    assert opened(left).load() == opened(files).load()
    with pytest.raises(OtherNode):
        opened(left, node="n2").load()


@pytest.mark.parametrize(
    ("node", "cluster", "words"),
    [
        ("n2", "c", r"this folder holds the data of n1 of cluster 'c', and this is n2 of cluster 'c': give it its own folder"),
        ("n1", "d", r"this folder holds the data of n1 of cluster 'c', and this is n1 of cluster 'd'"),
    ],
)
def test_a_folder_of_another_node_is_refused(node: str, cluster: str, words: str) -> None:
    with pytest.raises(OtherNode, match=words):
        opened(kept(), node=node, cluster=cluster).load()


def test_a_tail_that_a_crash_tore_is_cut_off() -> None:
    files = kept()
    before = opened(files).load()
    log = files.read(LOG) or b""
    head = log.rindex(b"\n", 0, len(log) - 1) + 1
    torn = MemoryFiles(files.contents() | {LOG: log + log[head:-20]})
    storage = opened(torn)
    assert storage.load() == before
    assert storage.torn_bytes > 0
