"""The rule of what clients were told: which replicas it must accept, and which it must find."""

from __future__ import annotations

import pytest

from systems.quorum import Quorum
from systems.quorum.finished import Finished, Told
from systems.quorum.messages import Entry, Version
from systems.quorum.placement import Placement
from systems.quorum.protocol import Coordinator, Done, Versions
from systems.quorum.shown import Shown
from systems.quorum.told_rules import ToldIsFound

NAMES = ("n1", "n2", "n3")
PLACEMENT = Placement("n1", NAMES, 3)
OLD, NEW, NEWER = (Entry(Version(number, "n1", 1, number), str(number)) for number in (1, 2, 3))
LOST = Shown(entries=None)
GONE = Shown(entries={}, floor=2)


def having(entry: Entry | None) -> Shown:
    return Shown(entries={} if entry is None else {"k": entry})


def found(*replicas: Shown | None, read: int = 2, tombstones_dropped: bool = False) -> str | None:
    """What the rule finds when n1 has answered with the new entry; None for a replica that is down."""
    rule = ToldIsFound(PLACEMENT, read=read, tombstones_dropped=tombstones_dropped)
    shown = {name: state for name, state in zip(NAMES, replicas, strict=True) if state is not None}
    by = Shown(entries=shown["n1"].entries, floor=shown["n1"].floor, told=(Told("k", NEW.version),), answers=1)
    return rule.broken(shown | {"n1": by})


def test_what_was_told_is_on_one_replica_of_each_read_quorum() -> None:
    assert found(having(NEW), having(OLD), having(NEW)) is None
    assert found(having(OLD), having(NEWER), having(NEW)) is None
    assert found(having(NEW), having(OLD), having(None)) == (
        "n1 answered with version 2 of n1 of key k; n2, n3 have nothing as new, and a read of 2 replicas may ask just those"
    )
    assert found(having(NEW), having(NEW), having(OLD), read=1) is not None
    assert found(having(NEW), having(NEW), having(NEWER), read=1) is None
    assert found(having(NEW), having(OLD), having(OLD), read=3) is None


def test_a_replica_that_is_down_or_has_lost_its_log_may_have_it() -> None:
    assert found(having(NEW), None, having(OLD)) is None
    assert found(having(NEW), LOST, having(OLD)) is None


def test_a_replica_that_has_dropped_the_tombstone_has_had_it() -> None:
    assert found(having(NEW), GONE, GONE, tombstones_dropped=True) is None
    assert found(having(NEW), having(None), having(None), tombstones_dropped=True) is not None


def test_each_answer_is_judged_once_also_after_a_restart() -> None:
    rule = ToldIsFound(PLACEMENT, read=2, tombstones_dropped=False)
    late = {"n2": having(OLD), "n3": having(OLD)}
    told = Shown(entries={"k": NEW}, told=(Told("k", OLD.version), Told("k", NEW.version)), answers=2)
    assert rule.broken({"n1": told, "n2": having(NEW), "n3": having(NEW)}) is None
    assert rule.broken({"n1": told, **late}) is None
    again = Shown(entries={"k": NEW}, told=(Told("k", NEW.version),), answers=1)
    assert rule.broken({"n1": again, **late}) is not None


def test_a_node_shows_what_it_read_and_wrote_and_not_what_failed() -> None:
    finished = Finished()
    coordinator = Coordinator(placement=PLACEMENT, read=2, write=2, versions=Versions("n1", 1))
    reading, writing, failing = coordinator.reading("k"), coordinator.writing("k", "3"), coordinator.reading("other")
    for name in ("n1", "n2"):
        reading.answered(reading.phase, name, NEW)
        writing.answered(writing.phase, name, NEW)
    for name in ("n1", "n2"):
        writing.answered(writing.phase, name, NEWER)
    failing.timed_out(failing.phase)
    for operation in (reading, writing, failing):
        assert operation.outcome is not None
        finished.add(operation, operation.outcome)
    assert isinstance(writing.outcome, Done)
    assert list(finished.told) == [Told("k", NEW.version), Told("k", Version(3, "n1", 1, 1))]
    assert finished.answers == 2


@pytest.mark.parametrize(
    ("system", "judged"), [(Quorum(), True), (Quorum(read=1, write=1), False), (Quorum(sloppy=True, size=5), False)]
)
def test_only_stores_whose_quorums_meet_are_judged(system: Quorum, judged: bool) -> None:
    shown = {name: having(OLD) for name in ("n2", "n3", "n4", "n5")[: len(system.entries()) - 1]}
    told = Shown(entries={"k": NEW}, told=(Told("k", NEW.version),), answers=1)
    assert (system.invariant().broken({"n1": told, **shown}) is not None) == judged
