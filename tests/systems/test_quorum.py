"""The system `Quorum`: its topology, and what it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from harness.model.codec import describe, restore
from harness.model.errors import UsageError
from harness.model.simulated import Agrees
from harness.model.system import System, links_of
from harness.run.catalog import drill_files, find_drill
from systems.quorum import Quorum
from systems.quorum.messages import Entry, Version
from systems.quorum.shown import Shown


def test_every_node_is_linked_with_every_other_in_each_direction() -> None:
    quorum = Quorum(replicas=3)
    assert isinstance(quorum, System)
    assert [node.name for node in quorum.nodes()] == ["n1", "n2", "n3"]
    assert {link.name for link in links_of(quorum)} == {
        "client>n1", "client>n2", "client>n3", "n1>n2", "n1>n3", "n2>n1", "n2>n3", "n3>n1", "n3>n2",
    }  # fmt: skip


def test_it_travels_to_another_process() -> None:
    quorum = Quorum(replicas=5, read=3, write=3, bug="early-ack")
    assert restore(describe(quorum)) == quorum


@pytest.mark.parametrize(("replicas", "read", "write"), [(1, 1, 1), (3, 2, 2), (3, 1, 3), (3, 3, 1), (5, 3, 3), (4, 2, 3)])
def test_quorums_that_meet_are_accepted(replicas: int, read: int, write: int) -> None:
    assert len(Quorum(replicas=replicas, read=read, write=write).nodes()) == replicas


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"read": 0}, "read=0"),
        ({"write": 4}, "write=4"),
        ({"replicas": 0}, "read=2, replicas=0"),
        ({"request_read": 4}, "request_read=4"),
        ({"size": 2}, "size=2, replicas=3.*: at least as many nodes as replicas"),
        ({"sloppy": True}, "none can stand in. Give size= a number above 3"),
        ({"hedge_ms": 0}, "hedge_ms=0"),
        ({"repair_every_s": float("inf")}, "repair_every_s=inf"),
        ({"tombstone_grace_s": -1}, "tombstone_grace_s=-1"),
        ({"compact_at_kib": 0}, "compact_at_kib=0"),
        ({"padding_kib": 1024}, "padding_kib=1024.*: a whole number of KiB, less than the 1024"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        replace(Quorum(), **settings)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"read": 1}, ["read + write = 1 + 2 is not more than 3 replicas"]),
        ({"replicas": 5, "read": 2, "write": 3}, ["read + write = 2 + 3 is not more than 5 replicas"]),
        ({"request_read": 1}, ["read + write = 1 + 2 is not more than 3 replicas"]),
        ({"size": 5, "sloppy": True}, ["sloppy: nodes that stand in make quorums which need not meet"]),
    ],
)
def test_what_is_promised_less_is_told(settings: dict[str, Any], words: list[str]) -> None:
    quorum = replace(Quorum(), **settings)
    assert [caveat[: len(begin)] for caveat, begin in zip(quorum.caveats(), words, strict=True)] == words
    assert quorum.unpromised == {"linearizable", "nothing_lost"}


def test_quorums_that_requests_ask_for_may_meet_though_the_nodes_own_need_not() -> None:
    assert Quorum(read=1, write=1, request_read=2, request_write=2).caveats() == []
    assert Quorum(read=1, write=1, request_read=2, request_write=2).unpromised == frozenset()


def test_a_drill_checks_no_more_than_its_quorum_store_promises_unless_it_is_to_be_caught() -> None:
    names = [name for name in drill_files() if name.split("/")[0] in ("quorum", "disk", "clock")]
    drills = [find_drill(name).drill for name in names]
    weak = [drill for drill in drills if isinstance(drill.system, Quorum) and drill.system.unpromised]
    assert len(weak) >= 4
    for drill in weak:
        assert isinstance(drill.system, Quorum)
        asked = {check.__name__ for check in drill.checks} & drill.system.unpromised
        assert asked <= ({drill.caught_by.__name__} if drill.caught_by else set())


def test_a_bug_that_is_misspelt_is_guessed() -> None:
    with pytest.raises(UsageError, match=r"No bug called 'read-on'\. Did you mean 'read-one'\?"):
        Quorum(bug="read-on")
    with pytest.raises(UsageError, match=r"There are: read-one, "):
        Quorum(bug="zzz")


def test_a_varied_system_keeps_the_replicas_that_a_drill_may_name() -> None:
    assert all(Quorum(replicas=5, read=2, write=4).varied(Random(seed)).replicas >= 5 for seed in range(50))
    assert {Quorum().varied(Random(seed)).replicas for seed in range(500)} == {3, 4, 5}


def states(held: Mapping[str, dict[str, Entry] | None]) -> dict[str, object]:
    return {name: Shown(entries=entries) for name, entries in held.items()}


def test_replicas_that_repair_are_apart_while_a_home_lacks_the_newest_value() -> None:
    old, new, deleted = Entry(Version(1, "n1", 1, 1), "a"), Entry(Version(2, "n1", 1, 2), "b"), Entry(Version(3, "n1", 1, 3))
    for quorum, apart in ((Quorum(), True), (Quorum(repair_every_s=None), False)):
        invariant = quorum.invariant()
        assert isinstance(invariant, Agrees)
        assert (invariant.apart(states({"n1": {"k": new}, "n2": {"k": new}, "n3": {"k": old}})) is not None) == apart
        assert (invariant.apart(states({"n1": {"k": new}, "n2": {}, "n3": {"k": new}})) is not None) == apart
        assert (invariant.apart(states({"n1": {"k": deleted}, "n2": {}, "n3": {"k": new}})) is not None) == apart
        assert invariant.apart(states({"n1": {"k": new}, "n2": {"k": new}, "n3": {"k": new}})) is None
        assert invariant.apart(states({"n1": {"k": deleted}, "n2": {}, "n3": {"k": deleted}})) is None


def test_tombstones_that_are_to_be_dropped_are_gone_in_the_end() -> None:
    deleted = {"k": Entry(Version(1, "n1", 1, 1))}
    for quorum, apart in ((Quorum(tombstone_grace_s=1), True), (Quorum(), False)):
        invariant = quorum.invariant()
        assert isinstance(invariant, Agrees)
        assert (invariant.apart(states({"n1": deleted, "n2": {}, "n3": {}})) is not None) == apart
        assert invariant.apart(states({"n1": {}, "n2": {}, "n3": {}})) is None


def test_a_replica_forgets_only_tombstones_and_what_a_damaged_log_held() -> None:
    old, new, deleted = Entry(Version(1, "n1", 1, 1), "a"), Entry(Version(2, "n1", 1, 2), "b"), Entry(Version(3, "n1", 1, 3))

    def broken(*shown: dict[str, Entry] | None, quorum: Quorum) -> bool:
        invariant = quorum.invariant()
        return any(invariant.broken(states({"n1": entries})) for entries in shown)

    assert broken({"k": new}, {"k": old}, quorum=Quorum())
    assert broken({"k": old}, {"k": new}, {}, quorum=Quorum())
    assert not broken({"k": old}, {"k": new}, {"k": deleted}, {}, quorum=Quorum())
    invariant = Quorum().invariant()
    assert invariant.broken(states({"n1": {"k": new}, "n2": {"k": deleted}})) is None
    assert invariant.broken(states({"n1": {}, "n2": {}})) is None
    assert not broken({"k": new}, None, {"k": old}, quorum=Quorum())
    assert not broken({"k": new}, {"k": old}, {}, quorum=Quorum(memory=True))


def test_a_replica_that_has_recovered_from_damage_holds_what_a_write_quorum_held() -> None:
    old, new, deleted = Entry(Version(1, "n1", 1, 1), "a"), Entry(Version(2, "n1", 1, 2), "b"), Entry(Version(3, "n1", 1, 3))

    def broken(*shown: dict[str, dict[str, Entry] | None], **settings: Any) -> bool:
        invariant = replace(Quorum(), **settings).invariant()
        return any(invariant.broken(states(held)) for held in shown)

    both: dict[str, dict[str, Entry] | None] = {"n1": {"k": new}, "n2": {"k": new}}
    damaged: dict[str, dict[str, Entry] | None] = {"n1": None, "n2": {"k": new}}
    for recovered in ({}, {"k": old}):
        assert broken(both, damaged, {"n1": recovered, "n2": {"k": new}})
        assert broken(both, {"n1": None}, {"n2": {"k": deleted}}, {"n1": recovered})  # also if its peers are away, or further
        assert not broken(both, damaged, {"n1": recovered, "n2": {"k": new}}, memory=True)
        # What only it held may be lost, and what its peers got after it had asked them.
        assert not broken({"n1": {"k": new}, "n2": {}, "n3": {}}, {"n1": None}, {"n1": recovered})
        assert not broken({"n1": None}, {"n2": {"k": new}, "n3": {"k": new}}, {"n1": recovered})
    assert not broken(both, damaged, damaged, {"n1": {"k": new}, "n2": {"k": new}})
    assert not broken(both, damaged, {"n1": {"k": deleted}, "n2": {"k": new}})
    # One that ended meanwhile, and then found no damage, need only have what it had; one that found it again needs all.
    others: dict[str, dict[str, Entry] | None] = {"n2": {"k": new}, "n3": {"k": new}}
    behind, ends, found = others | {"n1": {"k": old}}, others, others | {"n1": None}
    assert not broken(behind, found, ends, behind)
    assert broken(behind, found, behind)
    assert broken(behind, found, ends, others | {"n1": {}})
    assert broken(behind, found, ends, found, behind)
    # A write quorum of three includes two others, and of one none: but two replicas do not lose their disks in one run.
    assert not broken(both, damaged, {"n1": {}, "n2": {"k": new}}, read=1, write=3)
    assert broken(both, damaged, {"n1": {}, "n2": {"k": new}}, read=3, write=1)
    # A tombstone that all have had is dropped.
    gone: dict[str, dict[str, Entry] | None] = {"n1": {"k": deleted}, "n2": {"k": deleted}}
    assert broken(gone, {"n1": None}, {"n1": {}})
    assert not broken(gone, {"n1": None}, {"n1": {}}, tombstone_grace_s=1)
