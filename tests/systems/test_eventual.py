"""The eventual store's pure parts: resolving writes, dropping tombstones, and queueing hints."""

from __future__ import annotations

import msgspec
import pytest

from harness.model.errors import UsageError
from systems.eventual import Eventual
from systems.eventual.client import Session
from systems.eventual.graves import Graves
from systems.eventual.invariant import EventualSafety
from systems.eventual.messages import MOST_BATCH_BYTES, Context, fitting
from systems.eventual.outbox import Outbox
from systems.eventual.replica import Replica
from systems.eventual.resolution import KeepSiblings, LastWriterWins
from systems.parts.hints import Hint
from systems.parts.hybrid_clock import HybridClock, Timestamp, TooFarAhead
from tests.simulation.test_run import simulated


def last_writer(node: str, at_us: int = 0) -> LastWriterWins:
    return LastWriterWins(HybridClock(node, lambda: at_us))


def test_the_last_writer_wins_whichever_way_replicas_hear_of_it() -> None:
    early, late = (
        last_writer("n1", 10).written(None, "early", Context()),
        last_writer("n2", 20).written(None, "late", Context()),
    )
    for first, second in ((early, late), (late, early)):
        merged = last_writer("n3").merged(first, second)
        assert last_writer("n3").values(merged) == ["late"]


def test_a_delete_by_the_last_writer_leaves_a_tombstone_that_wins() -> None:
    node = last_writer("n1")
    written = node.written(None, "value", Context())
    deleted = node.written(written, None, Context())
    assert node.values(node.merged(deleted, written)) == []
    assert node.merged(written, deleted) == deleted


def test_a_write_is_newer_than_what_its_session_has_seen_though_the_clock_is_behind() -> None:
    ahead, behind = last_writer("n1", 9_000), last_writer("n2", 5)
    session = Session()
    first = ahead.written(None, "first", Context())
    session.saw("other key", ahead.context(first))
    second = behind.written(None, "second", session.latest())
    assert ahead.values(ahead.merged(first, second)) == ["second"]
    assert behind.covers(second, session.seen("other key"))
    assert not behind.covers(None, session.seen("other key"))


def test_a_context_from_a_clock_that_cannot_be_right_is_refused() -> None:
    with pytest.raises(TooFarAhead):
        last_writer("n1").check(Context(stamp=Timestamp(10**15, 0, "somebody")))


def test_siblings_stay_until_a_client_that_has_seen_them_writes() -> None:
    one, two = KeepSiblings("n1"), KeepSiblings("n2")
    both = one.merged(one.written(None, "a", Context()), two.written(None, "b", Context()))
    assert one.values(both) == ["a", "b"]
    assert two.values(two.written(both, "c", one.context(both))) == ["c"]
    assert two.values(two.written(both, None, one.context(both))) == []
    assert len(two.values(two.written(both, "c", Context()))) == 3


# ------------------------------------------------------------------------------------------------------------ tombstones


def test_a_tombstone_is_kept_until_all_have_had_it_and_are_told_again_after_a_grace_period() -> None:
    graves = Graves(["n2", "n3"], grace_s=10)
    graves.dug("k", b"gone", 0)
    graves.had("n2", "k", b"gone", 1, 1)
    assert graves.untold("n2", 1_000) == []
    assert graves.untold("n3", 1) == ["k"]
    graves.had("n3", "k", b"another state", 20, 20)
    assert graves.untold("n3", 20) == ["k"]
    graves.had("n3", "k", b"gone", 29, 30)
    graves.had("n2", "k", b"gone", 39, 39.5)  # once more: that begins no new period, and is too early
    assert graves.untold("n2", 40) == graves.untold("n3", 40) == []
    assert graves.untold("n2", 40.1) == graves.untold("n3", 40.1) == ["k"]
    graves.had("n2", "k", b"gone", 39.9, 40.2)  # told before the end of the period
    graves.had("n3", "k", b"gone", 40.1, 40.3)
    assert graves.forgettable(1_000) == []
    assert (graves.untold("n2", 40.4), graves.untold("n3", 40.4)) == (["k"], [])
    graves.had("n2", "k", b"gone", 40.4, 40.5)
    assert graves.forgettable(40.6) == ["k"]
    graves.opened("k")
    assert graves.forgettable(1_000) == []


def test_a_node_without_peers_keeps_a_tombstone_for_the_grace_period() -> None:
    graves = Graves([], grace_s=10)
    graves.dug("k", b"gone", 0)
    assert graves.forgettable(10) == []
    assert graves.forgettable(10.1) == ["k"]


def test_a_replica_that_was_away_still_has_to_hear_of_a_newer_tombstone() -> None:
    graves = Graves(["n2"], grace_s=10)
    graves.dug("k", b"first", 0)
    graves.had("n2", "k", b"first", 1, 1)
    graves.had("n2", "k", b"first", 12, 12)
    graves.dug("k", b"second", 12)
    assert graves.untold("n2", 12) == ["k"]
    assert graves.forgettable(1_000) == []


def test_a_value_that_was_on_its_way_to_a_replica_without_the_key_is_deleted_there_before_the_tombstone_goes() -> None:
    node = last_writer("n1", 5)
    old, gone = node.written(None, "old", Context()), node.written(None, None, Context())
    graves, there = Graves(["n2"], grace_s=10), Replica(last_writer("n2"), Graves(["n1"], grace_s=10))
    graves.dug("k", gone, 0)
    assert there.arrived(None, gone, fresh=False) is None
    graves.had("n2", "k", gone, 1, 1)
    late = there.arrived(None, old, fresh=False)
    assert late == old
    assert graves.forgettable(11.5) == []
    assert graves.untold("n2", 11.5) == ["k"]
    assert there.arrived(late, gone, fresh=False) == gone
    graves.had("n2", "k", gone, 11.5, 11.6)
    assert graves.forgettable(11.7) == ["k"]


def test_a_message_is_taken_only_if_it_was_composed_less_than_a_grace_period_ago() -> None:
    graves = Graves([], grace_s=10)
    for told_s in (0.0, 3.0, 4.9, 5.0, 9.9):
        window = graves.window(told_s)
        assert graves.in_time(window, told_s + 5)
        assert not graves.in_time(window, told_s + 10)


# ------------------------------------------------------------------------------------------------------ replica and outbox


def test_an_old_tombstone_is_no_reason_to_hold_a_key_and_a_fresh_one_is() -> None:
    node = last_writer("n1", 5)
    replica = Replica(node, Graves(["n2"], grace_s=1))
    gone = node.written(None, None, Context())
    assert replica.arrived(None, gone, fresh=False) is None
    assert replica.arrived(None, gone, fresh=True) == gone
    assert replica.arrived(node.written(None, "old", Context()), node.written(None, None, Context()), fresh=False) is not None


def test_a_replica_tells_of_what_another_one_lacks_and_of_nothing_else() -> None:
    node = last_writer("n1", 5)
    replica = Replica(node, Graves(["n2"], grace_s=1))
    old, new = node.written(None, "old", Context()), node.written(None, "new", Context())
    for key in ("same", "newer", "missing"):
        replica.put(key, new, 0)
    replica.put("older", old, 0)
    assert replica.differing(["same", "newer", "missing", "older", "unknown"], [new, old, None, new, new]) == [
        ("newer", new),
        ("missing", new),
    ]


def test_a_write_is_refused_only_if_no_queue_has_room() -> None:
    outbox = Outbox(["n2", "n3"], most=1, keep_s=60)
    outbox.leave("a", b"1", 0)
    assert not outbox.has_room("b")
    assert outbox.has_room("a")
    [hint] = outbox.oldest("n2", 5)
    outbox.delivered("n2", hint, 1)
    assert outbox.has_room("b")
    assert not outbox.has_room("b", beside=["c"])


def test_hints_that_are_too_old_are_dropped_unless_no_other_replica_has_the_write() -> None:
    outbox = Outbox(["n2", "n3"], most=9, keep_s=10)
    outbox.leave("told", b"1", 0)
    outbox.leave("untold", b"1", 0)
    outbox.delivered("n2", outbox.oldest("n2", 1)[0], 1)
    assert outbox.expire(11) == 1
    assert outbox.keys() == {"untold"}
    assert outbox.count() == 2


def test_a_hint_that_only_one_queue_had_room_for_is_kept_until_it_is_delivered() -> None:
    outbox = Outbox(["n2", "n3"], most=1, keep_s=10)
    outbox.leave("first", b"1", 0)
    outbox.delivered("n3", outbox.oldest("n3", 1)[0], 1)
    outbox.leave("second", b"1", 1)
    assert [hint.key for hint in outbox.oldest("n2", 9)] == ["first"]
    assert outbox.expire(20) == 1
    assert outbox.keys() == {"second"}
    outbox.leave("second", b"2", 21)
    [newer] = outbox.oldest("n3", 1)
    outbox.delivered("n3", Hint("second", b"1", 1), 22)
    assert outbox.expire(60) == 0
    outbox.delivered("n3", newer, 61)
    assert outbox.expire(90) == 1
    assert outbox.count() == 0


def test_a_message_has_at_least_one_state_and_not_many_large_ones() -> None:
    large = bytes(MOST_BATCH_BYTES)
    assert [fitting([]), fitting([large, large]), fitting([None, b"1", large, b"1"])] == [0, 1, 3]


def test_one_version_with_two_values_is_noticed_also_if_the_first_is_gone() -> None:
    invariant = EventualSafety(agreement=True)
    assert invariant.broken({"n1": [("k", "1 of n1", "a")], "n2": []}) is None
    assert invariant.broken({"n1": [], "n2": [("k", "1 of n1", "b")]}) == (
        "version 1 of n1 of key k stands for two values: a on n1, and b on n2"
    )


def test_a_value_beside_one_whose_client_had_seen_it_is_noticed_and_concurrent_ones_are_right() -> None:
    first, second, third = ("s", "1 of n1", '["a"]'), ("s", "1 of n2", '["b"]'), ("s", "2 of n1", '["a","c"]')
    invariant = EventualSafety(agreement=True)
    assert invariant.broken({"n1": [first, second], "n2": [second, third]}) is None
    assert invariant.broken({"n1": [first, third], "n2": []}) == (
        "n1 holds ['a'] of key s, 1 of n1, beside ['a', 'c'], 2 of n1, whose client had seen it"
    )


def test_replicas_are_apart_while_one_lacks_a_value_or_still_holds_a_tombstone() -> None:
    first, second, deleted = ("s", "1 of n1", "a"), ("s", "2 of n1", "b"), ("t", "1 of n2", None)
    invariant = EventualSafety(agreement=True)
    assert invariant.apart({"n1": [second], "n2": [first]}) == "n2 lacks version 2 of n1 of key s, which n1 holds"
    assert invariant.apart({"n1": [second], "n2": []}) is not None
    assert invariant.apart({"n1": [second, deleted], "n2": [second]}) == "n1 still holds the tombstone of key t, 1 of n2"
    assert invariant.apart({"n1": [second], "n2": [second]}) is None
    assert EventualSafety(agreement=False).apart({"n1": [second], "n2": [first]}) is None


# ------------------------------------------------------------------------------------------------------------ the system


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"resolve": "newest"}, "'last-writer-wins' or 'siblings'"),
        ({"grace_s": 0.1}, "at least 1 s"),
        ({"anti_entropy_s": 0.0}, "more than 0"),
        ({"hints": 0}, "more than 0"),
        ({"repaired_reads": 2.0}, "between 0 and 1"),
        ({"replicas": 0}, "at least 1"),
        ({"bug": "unversionned"}, "Did you mean 'unversioned'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        Eventual(**settings)  # type: ignore[arg-type]


def test_last_writer_wins_does_not_claim_to_withstand_wrong_clocks() -> None:
    assert "wrong clock" not in Eventual().withstands
    assert "wrong clock" in Eventual(resolve="siblings").withstands


def test_its_settings_travel_as_json() -> None:
    for system in (Eventual(), Eventual(anti_entropy_s=None, resolve="siblings")):
        for node in system.nodes():
            assert msgspec.json.decode(msgspec.json.encode(node.config)) == node.config


def test_a_drill_holds_in_simulation_and_its_final_calls_come_after_its_quiet_time() -> None:
    recorded, found = simulated("eventual/bits_flipped", 1, "load.rate=60", "system.agree_within_s=3.0")
    assert set(found.values()) == {True}, found
    ops = recorded.history.ops
    load, final = ops[ops["phase"] == "load"], ops[ops["phase"] == "final"]
    assert final["sent_ns"].min() - load["done_ns"].max() > 2.9e9


def test_a_known_bug_is_found_out_by_its_drill() -> None:
    _, found = simulated("eventual/sessions_skewed", 1, "system.bug=deaf-clock", "load.rate=100")
    assert found["read_your_writes"] is False


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["deletes", "killed_with_hints", "away_too_long", "queues_full", "siblings", "siblings_deleted", "sessions"]
)
def test_each_drill_holds_in_simulation(name: str) -> None:
    _, found = simulated(f"eventual/{name}")
    assert set(found.values()) == {True}, found


@pytest.mark.slow
def test_the_drill_of_deleted_siblings_finds_out_who_counts_their_writes_anew() -> None:
    _, found = simulated("eventual/siblings_deleted", 1, "system.bug=counts-anew")
    assert (found["set_full"], found["converges"]) == (False, True)


@pytest.mark.slow
def test_last_writer_wins_is_seen_to_lose_writes_if_clocks_are_wrong() -> None:
    _, found = simulated("eventual/clock_skewed")
    assert found["nothing_lost"] is False
    assert found["converges"] is True
