"""The rule of dropped tombstones: what it must accept, and what it must find, in both stores that drop any."""

from __future__ import annotations

from systems.eventual import Eventual
from systems.eventual.graves_rules import CountedHaveHad, DroppedAfterGrace
from systems.eventual.graves_rules import DroppedForGood as GravesRule
from systems.eventual.messages import Context, State
from systems.eventual.resolution import KeepSiblings, LastWriterWins, Resolution
from systems.eventual.shown import Shown as EventualShown
from systems.parts.dropped_tombstones import OWN, DroppedTombstones, Left
from systems.parts.hints import Hint
from systems.parts.hybrid_clock import HybridClock
from systems.quorum import Quorum
from systems.quorum.messages import Entry, Version
from systems.quorum.shown import Shown
from systems.quorum.upkeep_rules import DroppedForGood

Has = dict[str, int]
"""By key, a number that is above all earlier ones; a tombstone if it is even."""


def rule() -> DroppedTombstones[int]:
    return DroppedTombstones[int](lambda number: number % 2 == 0, lambda one, tombstone: one < tombstone)


def looked(*looks: dict[str, Has]) -> Left | None:
    watched = rule()
    found = [watched.look({node: {OWN: has} for node, has in look.items()}) for look in looks]
    return next((left for left in found if left is not None), None)


def test_a_tombstone_that_all_have_or_that_all_have_dropped_may_go() -> None:
    assert looked({"a": {"k": 2}, "b": {"k": 2}}, {"a": {}, "b": {"k": 2}}, {"a": {}, "b": {}}) is None
    assert looked({"a": {"k": 2}, "b": {}}, {"a": {}, "b": {}}) is None
    assert looked({"a": {"k": 2}, "b": {"k": 3}}, {"a": {}, "b": {"k": 3}}) is None
    assert looked({"a": {"k": 2}, "b": {"l": 1}}, {"a": {}, "b": {"l": 1}}) is None


def test_what_a_dropped_tombstone_deleted_must_not_be_left() -> None:
    assert looked({"a": {"k": 2}, "b": {"k": 1}}, {"a": {}, "b": {"k": 1}}) == Left("b", OWN, "k", "a")
    assert looked({"b": {"k": 1}, "a": {"k": 2}}, {"a": {}}, {"a": {}}, {"a": {}, "b": {"k": 1}}) == Left("b", OWN, "k", "a")
    assert looked({"b": {"k": 1}}, {"a": {"k": 2}}, {"a": {}}, {"a": {}, "b": {"k": 1}}) == Left("b", OWN, "k", "a")
    watched = rule()
    assert watched.look({"a": {OWN: {"k": 2}}, "b": {OWN: {}, "c": {"k": 1}}}) is None
    assert watched.look({"a": {OWN: {}}, "b": {OWN: {}, "c": {"k": 1}}}) == Left("b", "c", "k", "a")


def test_what_went_between_two_looks_may_have_gone_before_the_tombstone() -> None:
    assert looked({"a": {"k": 2}, "b": {"k": 1}}, {"a": {}, "b": {"k": 2}}) is None
    assert looked({"a": {"k": 2}, "b": {"k": 1}}, {"a": {}, "b": {}}) is None
    assert looked({"a": {"k": 2}, "b": {"k": 1}}, {"a": {}}, {"a": {}, "b": {"k": 2}}) is None


def test_what_was_not_there_at_the_first_drop_is_not_left() -> None:
    assert looked({"a": {"k": 2}, "b": {}}, {"a": {}, "b": {"k": 1}}) is None
    second = {"a": {"k": 2}, "b": {"k": 1}}
    assert looked({"a": {"k": 2}, "b": {"k": 2}}, {"a": {"k": 2}, "b": {}}, second, {"a": {}, "b": {"k": 1}}) is None


def test_a_value_that_goes_is_no_dropped_tombstone() -> None:
    assert looked({"a": {"k": 3}, "b": {"k": 1}}, {"a": {}, "b": {"k": 1}}) is None


def test_a_node_that_has_lost_everything_has_neither_dropped_nor_left_anything() -> None:
    watched = rule()
    assert watched.look({"a": {OWN: {"k": 2}}, "b": {OWN: {"k": 1}}}) is None
    watched.lost("a")
    assert watched.look({"a": {OWN: {}}, "b": {OWN: {"k": 1}}}) is None
    watched = rule()
    assert watched.look({"a": {OWN: {"k": 2}}, "b": {OWN: {"k": 1}}}) is None
    assert watched.look({"a": {OWN: {}}}) is None
    watched.lost("b")
    assert watched.look({"a": {OWN: {}}, "b": {OWN: {"k": 1}}}) is None


# ------------------------------------------------------------------------------------------------------------- quorum

VALUE, TOMBSTONE = Entry(Version(1, "n1", 1, 1), "value"), Entry(Version(2, "n2", 1, 1))


def quorum(first: dict[str, Shown], then: dict[str, Shown]) -> str | None:
    watched = DroppedForGood()
    assert watched.broken(first) is None
    return watched.broken(then)


def keeping(entry: Entry) -> Shown:
    return Shown(entries={}, kept={"n3": {"k": Hint("k", entry, 0.0)}})


def test_no_node_may_keep_for_another_one_what_a_dropped_tombstone_deleted() -> None:
    has, nothing = Shown(entries={"k": TOMBSTONE}), Shown(entries={})
    assert quorum({"n1": has, "n4": keeping(VALUE)}, {"n1": nothing, "n4": keeping(VALUE)}) == (
        "n1 dropped the tombstone of key k, of which n4 still keeps for n3 something older"
    )
    assert quorum({"n1": has, "n4": keeping(TOMBSTONE)}, {"n1": nothing, "n4": keeping(TOMBSTONE)}) is None
    assert quorum({"n1": has, "n4": keeping(VALUE)}, {"n1": nothing, "n4": nothing}) is None


def test_no_replica_may_hold_what_a_dropped_tombstone_deleted() -> None:
    has, nothing, old = Shown(entries={"k": TOMBSTONE}), Shown(entries={}), Shown(entries={"k": VALUE})
    assert quorum({"n1": has, "n2": old}, {"n1": nothing, "n2": old}) is not None
    assert quorum({"n1": has, "n2": has}, {"n1": nothing, "n2": has}) is None


def test_a_replica_with_a_damaged_log_has_dropped_and_left_nothing() -> None:
    has, old, damaged, nothing = (Shown(entries=entries) for entries in ({"k": TOMBSTONE}, {"k": VALUE}, None, {}))
    watched = DroppedForGood()
    looks = ({"n1": has, "n2": old}, {"n1": damaged, "n2": old}, {"n1": nothing, "n2": old})
    assert [watched.broken(look) for look in looks] == [None, None, None]


def test_a_quorum_store_is_held_to_it() -> None:
    invariant = Quorum(size=5, tombstone_grace_s=1).invariant()
    assert invariant.broken({"n1": Shown(entries={"k": TOMBSTONE}), "n4": keeping(VALUE)}) is None
    assert invariant.broken({"n1": Shown(entries={}), "n4": keeping(VALUE)}) is not None


# ----------------------------------------------------------------------------------------------------------- eventual


def written(resolution: Resolution) -> tuple[State, State, State]:
    """A value, the tombstone that deletes it, and a value that was written after that."""
    value = resolution.written(None, "value", Context())
    tombstone = resolution.written(value, None, resolution.context(value))
    return value, tombstone, resolution.written(tombstone, "newer", resolution.context(tombstone))


def test_no_replica_may_hold_what_a_forgotten_grave_was_for() -> None:
    for resolution in (KeepSiblings("n1"), LastWriterWins(HybridClock("n1", lambda: 0))):
        value, tombstone, newer = written(resolution)
        for held, allowed in ((value, False), (tombstone, True), (newer, True)):
            watched, other = GravesRule(resolution), EventualShown(states={"k": held})
            assert watched.broken({"n1": EventualShown(states={"k": tombstone}), "n2": other}) is None
            why = watched.broken({"n1": EventualShown(states={}), "n2": other})
            assert why == (None if allowed else "n1 dropped the tombstone of key k, and n2 still holds what it deleted")


def test_a_replica_whose_life_is_over_has_dropped_nothing() -> None:
    resolution = LastWriterWins(HybridClock("n1", lambda: 0))
    value, tombstone, _ = written(resolution)
    watched, other = GravesRule(resolution), EventualShown(states={"k": value})
    assert watched.broken({"n1": EventualShown(states={"k": tombstone}), "n2": other}) is None
    assert watched.broken({"n1": EventualShown(states={}, life=1), "n2": other}) is None


LATEST = LastWriterWins(HybridClock("n1", lambda: 0))
OLD, GONE, NEWER = written(LATEST)
OLDEST, NEW = LastWriterWins(HybridClock("n0", lambda: -1)).written(None, "oldest", Context()), {"k": NEWER}
COUNTED = EventualShown(states={"k": GONE}, had_by=lambda key: {"n2"})


def counted(*n2: dict[str, State] | None) -> str | None:
    """What the rule finds if n2 holds these when it is looked at; None: it is down. From the last look on, n1 counts it."""
    rule = CountedHaveHad(LATEST)
    for number, held in enumerate(n2):
        deleted = EventualShown(states={"k": GONE if number else OLD})
        n1 = COUNTED if number == len(n2) - 1 else deleted
        why = rule.broken({"n1": n1} | ({} if held is None else {"n2": EventualShown(states=held)}))
        if why is not None:
            return why
    return None


def test_who_held_something_older_all_the_while_has_not_had_the_tombstone() -> None:
    why = "n1 counts n2 as having had the tombstone of key k, which holds what it deletes"
    assert counted({"k": OLD}, {"k": OLD}, {"k": OLD}) == why
    assert counted({"k": OLD}, {"k": OLD}) == why
    assert counted({"k": OLDEST}, {"k": OLD}, {"k": OLD}) == why


def test_who_held_the_tombstone_or_nothing_or_something_newer_or_was_down_may_have_had_it() -> None:
    for meanwhile in ({"k": GONE}, {}, NEW, None):
        assert counted({"k": OLD}, meanwhile, {"k": OLD}) is None
        assert counted(meanwhile, {"k": OLD}, {"k": OLD}) is None
        assert counted({"k": OLD}, {"k": OLD}, meanwhile) is None


def test_an_eventual_store_is_held_to_both() -> None:
    invariant, other = Eventual().invariant(), EventualShown(states={"k": OLD})
    assert invariant.broken({"n1": EventualShown(states={"k": GONE}), "n2": other}) is None
    assert invariant.broken({"n1": EventualShown(states={}), "n2": other}) is not None
    invariant = Eventual().invariant()
    assert invariant.broken({"n1": other, "n2": other}) is None
    assert invariant.broken({"n1": COUNTED, "n2": other}) is not None


# ------------------------------------------------------------------------------------------------------- after a grace period


def dropped(*n2: dict[str, State] | None, after_s: float = 1.0, n1: EventualShown | None = None) -> str | None:
    """What the rule finds if n1 deletes a key while n2 holds these, looked at every second; then n1 shows this, or nothing."""
    rule, now_s = DroppedAfterGrace(LATEST, grace_s=2.0), 100.0
    for number, held in enumerate(n2):
        first = EventualShown(states={"k": GONE if number else OLD}, now_s=now_s)
        why = rule.broken({"n1": first} | ({} if held is None else {"n2": EventualShown(states=held)}))
        assert why is None
        now_s += 1
    last = n1 or EventualShown(states={}, now_s=now_s - 1 + after_s)
    return rule.broken({"n1": last, "n2": EventualShown(states={})})


def test_a_tombstone_is_dropped_only_when_all_have_had_it_for_a_grace_period() -> None:
    why = "n1 dropped the tombstone of key k at most 1.500 s after n2 held what it deletes, and 2 s are due"
    assert dropped({"k": OLD}, {"k": OLD}, after_s=1.5) == why
    assert dropped({"k": OLD}, {"k": OLD}, {"k": OLD}, after_s=1.5) == why
    assert dropped({"k": OLDEST}, {"k": OLD}, {"k": GONE}, after_s=0.5) == why
    assert dropped({"k": OLD}, {"k": OLD}, after_s=2.0) is None
    assert dropped({"k": OLD}, {"k": OLD}, {"k": GONE}, {"k": GONE}) is None


def test_who_held_nothing_or_something_newer_or_was_down_has_no_grace_period() -> None:
    for other in ({"k": GONE}, {}, NEW, None):
        assert dropped({"k": OLD}, other, after_s=0.1) is None
        assert dropped(other, {"k": OLD}, after_s=0.1) is None


def test_a_tombstone_that_was_replaced_or_lost_was_not_dropped() -> None:
    assert dropped({"k": OLD}, {"k": OLD}, n1=EventualShown(states=NEW, now_s=101.1)) is None
    assert dropped({"k": OLD}, {"k": OLD}, n1=EventualShown(states={}, life=1, now_s=101.1)) is None
    rule, holding = DroppedAfterGrace(LATEST, grace_s=2.0), EventualShown(states={"k": OLD})
    deleted = EventualShown(states={"k": GONE}, now_s=1.0)
    looks = [{"n1": holding, "n2": holding}, {"n1": deleted, "n2": holding}, {"n2": holding}]
    assert [rule.broken(look) for look in (*looks, {"n1": EventualShown(states={}, now_s=1.1)})] == [None] * 4
