"""What a Raft node must still know after a crash: which disks it may find, and which ones would make it forget."""

from __future__ import annotations

from random import Random

import pytest

from harness.node.crashpoints import MemoryFiles
from harness.node.disk import Disk
from systems.raft.core.core import Core, Output, Saved
from systems.raft.core.messages import Entry, Members, Snapshot, Vows
from systems.raft.remembered import forgotten
from systems.raft.storage import LOG, Storage
from tests.helpers.deaths import deaths

MEMBERS = Members(("n1", "n2", "n3"))


def entries(*terms: int, first: int = 1) -> tuple[Entry, ...]:
    return tuple(Entry(first + place, term, f"x{first + place}") for place, term in enumerate(terms))


def core_of(saved: Saved) -> Core:
    return Core("n1", MEMBERS, random=Random(1), saved=saved)


class Node:
    """A node that has saved entries and vows, and keeps its core up to date with them."""

    def __init__(self, disk: Disk) -> None:
        self.storage = Storage(disk, cluster="c", node="n1")
        self.core = core_of(self.storage.load())
        self.storage.write_anew(self.core)

    def save(self, vows: Vows | None, *news: Entry) -> None:
        state = self.core.state
        if news and state.log.last_index >= news[0].index:
            state.truncate(news[0].index)
        for entry in news:
            state.append(entry)
        state.vows = vows or state.vows
        self.storage.save(Output(vows=vows, entries=news), self.core)
        state.saved_index = state.log.last_index

    def compact(self, index: int) -> None:
        self.core.compact(Snapshot(index, self.core.state.log.term(index) or 0, MEMBERS, "{}"), keep=0)
        self.storage.write_anew(self.core)

    def forgotten(self, disk: Disk) -> str | None:
        return self.storage.forgotten(disk, self.core)


def test_whenever_a_node_dies_it_remembers() -> None:
    def live(node: Node) -> None:
        node.save(Vows(1, "n1"), *entries(1, 1, 1))
        node.save(Vows(2))
        node.save(Vows(2, "n3"), *entries(2, 2, first=2))
        node.compact(2)
        node.save(None, *entries(2, first=4))

    crashes = 0
    for node, crash in deaths(Node, live):
        crashes += 1
        assert node.forgotten(crash.disk()) is None, f"{crash.number}: {crash.at}"
    assert crashes > 30


def test_a_log_that_nothing_has_damaged_must_not_count_as_damaged() -> None:
    files = MemoryFiles()
    node = Node(Disk(files))
    node.save(Vows(1, "n1"), *entries(1))
    before = files.read(LOG) or b""
    node.save(None, *entries(1, first=2))
    assert node.forgotten(Disk(files)) is None
    Disk(files).replace(LOG, before)
    assert (node.forgotten(Disk(files)) or "").startswith("the log would count as damaged")


@pytest.mark.parametrize(
    ("found", "lost"),
    [
        (Saved(vows=Vows(2, "n3"), entries=entries(1, 1, 2)), None),
        (Saved(vows=Vows(3), entries=entries(1, 1, 2)), None),  # it was being written
        (Saved(vows=Vows(2, "n3"), entries=entries(1, 1, 2, 2)), None),
        (Saved(vows=Vows(2, "n3"), base_index=3, base_term=2), None),
        (Saved(vows=Vows(2), entries=entries(1, 1, 2)), "term 2 with no vote, and not of term 2 with a vote for n3"),
        (Saved(vows=Vows(1, "n1"), entries=entries(1, 1, 2)), "term 1 with a vote for n1, and not of term 2"),
        (Saved(vows=Vows(2, "n3", (1, 1)), entries=entries(1, 1, 2)), "to vote from (1, 1) on"),
        (Saved(vows=Vows(2, "n3"), entries=entries(1, 1)), "its log would end with index 2, and 3 was saved"),
        (Saved(vows=Vows(2, "n3"), entries=entries(1, 1, 1)), "an entry of term 1 at index 3, and one of term 2 was saved"),
    ],
)
def test_what_was_saved_must_be_found(found: Saved, lost: str | None) -> None:
    state = core_of(Saved(vows=Vows(2, "n3"), entries=entries(1, 1, 2))).state
    why = forgotten(state, 3, [Vows(2, "n3"), Vows(3)], found)
    assert (why is None) if lost is None else (why is not None and lost in why)


def test_entries_that_were_not_saved_or_are_to_be_replaced_may_be_missing() -> None:
    state = core_of(Saved(vows=Vows(2), entries=entries(1, 1, 1))).state
    found = Saved(vows=Vows(2), entries=entries(1, 1, 1))
    state.truncate(2)
    state.append(Entry(2, 2, "another"))
    assert forgotten(state, 3, [Vows(2)], found) is None
    assert forgotten(state, 3, [Vows(2)], Saved(vows=Vows(2), entries=entries(1))) is None
    assert forgotten(state, 3, [Vows(2)], Saved(vows=Vows(2))) is not None
