"""What a replica of the quorum store holds and keeps, and what it tells of that."""

from __future__ import annotations

from pathlib import Path
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from harness.node.disk import Disk
from systems.quorum.messages import Entry, Keep, Query, Store, Version
from systems.quorum.placement import Placement
from systems.quorum.protocol import Coordinator, Versions
from systems.quorum.replica import Held, Replica
from systems.quorum.storage import Storage
from tests.helpers.quorum_entries import answers, entry


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 9), st.sampled_from(["n1", "n2"])), max_size=30))
def test_a_replica_holds_the_newest_of_each_key_in_whatever_order_entries_come(stores: list[tuple[str, int, str]]) -> None:
    replica = Replica()
    entries = [Held(key, Entry(Version(counter, writer, 1), f"{counter}{writer}")) for key, counter, writer in stores]
    for held in entries:
        replica.logged(held)
    for key in "abc":
        newest = max((held.entry for held in entries if held.key == key), key=lambda each: each.version, default=Entry())
        assert replica.entry(key) == newest


def test_what_it_keeps_for_another_is_told_only_by_a_stand_in(tmp_path: Path) -> None:
    storage = Storage(Disk(tmp_path), lambda text: None, random=Random(1), replica=Replica(peers=["n2"]))
    answers(storage, Store("a", entry(1)), Keep("a", entry(2), "n2"), Keep("b", entry(2), "n2"))
    assert answers(storage, Query("a"), Query("b")) == [entry(1), Entry()]
    assert answers(storage, Query("a", kept=True), Query("b", kept=True)) == [entry(2), entry(2)]


def test_a_read_does_not_count_on_what_a_replica_only_keeps_for_another(tmp_path: Path) -> None:
    """n2's own disk failed when it stored the entry; then it kept it for n1, which it drops when n1 has it."""
    storage = Storage(Disk(tmp_path), lambda text: None, random=Random(1), replica=Replica(peers=["n1"]))
    answers(storage, Store("a", entry(1)), Keep("a", entry(2), "n1"))
    names = ["n1", "n2", "n3"]
    coordinator = Coordinator(placement=Placement("n3", names, 3), read=2, write=2, versions=Versions("n3", 1))
    read = coordinator.reading("a")
    [told] = answers(storage, read.phase.request)
    assert told is not None
    read.answered(read.phase, "n3", entry(2))
    read.answered(read.phase, "n2", told)
    assert read.outcome is None
    assert read.phase.request == Store("a", entry(2))
