"""A snapshot goes from the leader to a follower in pieces: lost, late or duplicate ones, deaths, changes of leaders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest

from systems.raft.core.messages import Append, Appended, Install, Members, Snapshot
from systems.raft.core.pieces import Receiving, Sending
from systems.raft.rules import CORRECT
from tests.helpers.raft_group import TIMING, Group

Matches = Callable[[str, str], None]

VALUES = ["x0", "x1", "x2"]


def behind(piece: int = 5) -> Group:
    """n3 lacks entries that are in snapshots alone, and the next heartbeat will tell."""
    group = Group("n1", "n2", "n3", timing=replace(TIMING, piece=piece))
    group.elect("n1")
    group.run(20)
    group.partition(["n1", "n2"], ["n3"])
    for value in VALUES:
        group.propose("n1", value)
        group.deliver()
    group.run(20)
    for name in ("n1", "n2"):
        group.nodes[name].snapshot()
    group.heal()
    return group


def step(group: Group, *pair: str) -> None:
    """One message comes, of this pair or of any; or time passes if there is none."""
    if pair or group.sent:
        group.deliver_one(*(pair or next(iter(group.sent))))
    else:
        group.tick(20)


def pieces_of(group: Group, leader: str = "n1") -> list[Install]:
    """Those on their way to n3."""
    return [message for message in group.sent.get((leader, "n3"), ()) if isinstance(message, Install)]


def begun(group: Group, pieces: int) -> None:
    """n3 has this many pieces, and only the next one is on its way to it."""
    while not (waiting := pieces_of(group)) or waiting[0].offset < pieces * group.timing.piece:
        step(group)
    while not isinstance(group.sent["n1", "n3"][0], Install):
        step(group, "n1", "n3")


def overtaken(group: Group) -> int:
    """The leader takes a newer snapshot while n3 has two pieces of an earlier one; returns the index of that."""
    begun(group, 2)
    first = group.nodes["n1"].core.state.snapshot
    assert first is not None
    group.propose("n1", "x3")
    for pair in (("n1", "n2"), ("n2", "n1")):
        step(group, *pair)
    group.nodes["n1"].snapshot()
    return first.index


def test_a_long_snapshot_goes_in_pieces_and_is_resumed_after_a_loss(matches_transcript: Matches) -> None:
    group = behind()
    begun(group, 1)
    group.lines.clear()
    group.deliver_one("n1", "n3", again=True)  # a piece comes twice, and both answers are lost
    group.deliver_one("n1", "n3")
    group.drop()
    group.run(120, step_ms=20)
    assert group.nodes["n3"].values == VALUES
    matches_transcript("raft-snapshot-in-pieces", group.transcript())


def test_no_message_has_more_than_a_piece_and_none_is_sent_before_the_last_one_was_taken() -> None:
    group = behind(3)
    seen: list[Install] = []
    while group.nodes["n3"].values != VALUES:
        waiting = pieces_of(group)
        assert len(waiting) <= 1
        seen += [one for one in waiting if one not in seen]
        step(group)
    snapshot = group.nodes["n1"].core.state.snapshot
    assert snapshot is not None
    assert all(len(one.data) <= 3 for one in seen)
    assert "".join(one.data for one in seen) == snapshot.data
    assert group.nodes["n3"].core.state.receiving.offset == 0  # nothing is kept twice


def test_a_late_answer_costs_one_piece_and_makes_no_second_stream_of_them() -> None:
    group = behind(1)
    begun(group, 1)
    group.deliver_one("n1", "n3")
    group.deliver_one("n3", "n1", again=True)
    late = group.sent["n3", "n1"].popleft()
    group.deliver_one("n1", "n3")
    group.deliver_one("n3", "n1")
    group.nodes["n1"].core.step(group.now_ms, "n3", late)
    group.settle("n1")
    assert len(pieces_of(group)) == 2
    for _ in range(2):
        step(group, "n1", "n3")
        step(group, "n3", "n1")
    assert len(pieces_of(group)) == 1
    group.run(40)
    assert group.nodes["n3"].values == VALUES


def test_another_leader_begins_anew() -> None:
    group = behind()
    begun(group, 2)
    assert group.nodes["n3"].core.state.receiving.offset == 10
    group.drop()
    group.hand_over("n1", "n2")
    group.deliver(to=["n1", "n2"])
    assert group.leader == "n2"
    offsets: list[int] = []
    while group.nodes["n3"].values != VALUES:
        offsets += [one.offset for one in pieces_of(group, "n2")]
        step(group)
    assert offsets[0] == 0


def test_a_node_that_dies_midway_is_sent_all_of_it_again() -> None:
    group = behind()
    begun(group, 2)
    group.kill("n3")
    group.restart("n3")
    group.run(200)
    assert group.nodes["n3"].values == VALUES


def test_a_snapshot_that_was_begun_is_sent_to_its_end_though_there_is_a_newer_one() -> None:
    group = behind()
    first = overtaken(group)
    while group.nodes["n3"].applied < first:
        assert {one.index for one in pieces_of(group)} <= {first}
        step(group)
    assert group.nodes["n3"].values == VALUES
    group.run(200)
    assert group.nodes["n3"].values == [*VALUES, "x3"]


def test_entries_follow_a_snapshot_that_newer_ones_have_overtaken() -> None:
    group = behind()
    first = overtaken(group)
    while group.nodes["n3"].applied < first:
        step(group)
    assert group.nodes["n1"].core.state.log.base_index == first
    while group.nodes["n3"].values != [*VALUES, "x3"]:
        assert not pieces_of(group)
        step(group)
    group.nodes["n1"].snapshot()
    assert group.nodes["n1"].core.state.log.base_index == first + 1


@pytest.mark.parametrize(("in_flight_bytes", "kept"), [(4, True), (1, False)])
def test_entries_that_are_longer_than_the_newest_snapshot_are_not_kept_for_one(in_flight_bytes: int, kept: bool) -> None:
    group = behind()
    first = overtaken(group)
    core = group.nodes["n1"].core
    core.state.timing = replace(core.state.timing, in_flight_bytes=in_flight_bytes)
    core.compact(Snapshot(first + 1, 1, core.members, "-"), keep=0)
    assert core.state.log.base_index == (first if kept else first + 1)


def test_a_piece_that_was_lost_is_sent_again_though_a_heartbeat_was_refused_in_time() -> None:
    group = behind()
    first = overtaken(group)
    group.drop()
    group.tick(group.timing.heartbeat_ms, "n1")
    while ("n1", "n3") in group.sent:
        group.deliver_one("n1", "n3")
    group.now_ms += group.timing.election_ms - group.timing.heartbeat_ms
    while ("n3", "n1") in group.sent:
        group.deliver_one("n3", "n1")
    assert [(one.index, one.offset) for one in pieces_of(group)] == [(first, 10)]


def test_an_answer_from_before_the_first_piece_does_not_start_it_over() -> None:
    group = behind()
    first = overtaken(group)
    leading = group.nodes["n1"].core.leading
    assert leading is not None
    before = Appended(term=1, accepted=True, match=leading.matches["n3"], round=0)
    group.nodes["n1"].core.step(group.now_ms, "n3", before)
    group.settle("n1")
    assert {name: snapshot.index for name, snapshot in leading.sending.items()} == {"n3": first}
    while group.nodes["n3"].applied < first:
        step(group)
    assert group.nodes["n3"].values == VALUES


def test_a_heartbeat_that_was_refused_during_a_transfer_begins_no_other_one_after_it() -> None:
    group = behind()
    begun(group, 2)
    group.tick(group.timing.heartbeat_ms, "n1")
    while not any(isinstance(one, Appended) and not one.accepted for one in group.sent.get(("n3", "n1"), ())):
        step(group, "n1", "n3")
    late = next(one for one in group.sent["n3", "n1"] if isinstance(one, Appended) and not one.accepted)
    group.sent["n3", "n1"].remove(late)
    while group.nodes["n3"].values != VALUES:
        step(group)
    group.deliver()
    group.nodes["n1"].core.step(group.now_ms, "n3", late)
    group.settle("n1")
    assert not pieces_of(group)


def test_late_pieces_of_an_earlier_snapshot_take_nothing_from_a_newer_one() -> None:
    group = behind()
    begun(group, 1)
    late = pieces_of(group)[0]
    group.run(60)
    assert group.nodes["n3"].values == VALUES
    group.partition(["n1", "n2"], ["n3"])
    group.propose("n1", "x3")
    group.deliver()
    group.run(20)
    group.nodes["n1"].snapshot()
    group.heal()
    begun(group, 2)
    group.nodes["n3"].core.step(group.now_ms, "n1", late)
    group.settle("n3")
    assert group.nodes["n3"].core.state.receiving.offset == 10


def test_a_late_piece_of_a_snapshot_that_the_leader_has_given_up_is_ignored() -> None:
    given_up, newer, receiving = sending(), sending("abcdefghij", 8), Receiving()
    assert receiving.take("n1", newer.piece(3, 4, 0)) is None
    assert receiving.take("n1", given_up.piece(3, 4, 0)) is None
    assert receiving.offset == 4
    newer.offset = 4
    assert receiving.take("n1", newer.piece(3, 6, 0)) == newer.snapshot


def sending(data: str = "0123456789", index: int = 7) -> Sending:
    return Sending(Snapshot(index, 2, Members(("n1", "n2")), data))


def test_a_follower_puts_together_what_belongs_together() -> None:
    mine, newer, receiving = sending(), sending("abcdefghij", 8), Receiving()

    def take(one: Sending, offset: int, term: int = 3) -> Snapshot | None:
        one.offset = offset
        return receiving.take("n1", one.piece(term, 4, 0))

    for offset, has in ((4, 0), (0, 4), (8, 4), (0, 4), (4, 8), (4, 8)):
        assert take(mine, offset) is None
        assert receiving.offset == has
    assert take(newer, 8) is None
    assert receiving.offset == 0  # a newer snapshot begins with its beginning
    assert take(mine, 0) is None
    assert take(mine, 4, term=4) is None
    assert receiving.offset == 0  # and so does that of another leader
    for offset in (0, 4):
        assert take(mine, offset) is None
    assert take(mine, 8) == mine.snapshot
    assert receiving.offset == 0


def test_a_snapshot_that_was_changed_on_its_way_is_not_installed() -> None:
    one, receiving = sending(), Receiving()
    whole = one.piece(3, 10, 0)
    assert receiving.take("n1", msgspec.structs.replace(whole, data="0123456798")) is None
    assert receiving.offset == 0
    assert receiving.take("n1", whole) == one.snapshot


@pytest.mark.parametrize("rule", ["pieces_in_order", "pieces_of_one_snapshot"])
def test_what_a_broken_rule_puts_together_is_wrong(rule: str) -> None:
    one, receiving = sending(), Receiving(replace(CORRECT, **{rule: False}))
    last = sending("abcdefghij") if rule == "pieces_of_one_snapshot" else one
    receiving.take("n1", one.piece(3, 4, 0))
    if rule == "pieces_in_order":
        receiving.take("n1", one.piece(3, 4, 0))
    last.offset = receiving.offset
    wrong = receiving.take("n1", last.piece(3, 6, 0))
    assert wrong is not None
    assert wrong.data not in ("0123456789", "abcdefghij")


def test_pieces_are_as_long_as_gets_through_to_the_node() -> None:
    group = behind(5)
    group.nodes["n1"].core.limit("n3", 2)
    group.nodes["n1"].core.limit("n2", 1)
    seen: list[int] = []
    while group.nodes["n3"].values != VALUES:
        seen += [len(one.data) for one in pieces_of(group)]
        step(group)
    assert max(seen) == 2


def test_entries_that_were_lost_before_the_snapshot_do_not_keep_its_pieces_from_being_sent() -> None:
    group = Group("n1", "n2", "n3", timing=replace(TIMING, piece=5))
    group.partition(["n1", "n2"], ["n3"])
    group.elect("n1")
    for value in VALUES:
        group.propose("n1", value)
        group.deliver()
    group.run(100)  # it probes n3 with these entries, again and again
    for name in ("n1", "n2"):
        group.nodes[name].snapshot()
    group.run(100)
    group.nodes["n1"].core.limit("n3", 2)  # a piece did not get through in time
    group.heal()
    group.run(1000)
    assert group.nodes["n1"].core.leading is not None
    assert group.nodes["n3"].values == VALUES


def test_entries_on_their_way_are_as_many_as_get_through_to_the_node_in_any_term() -> None:
    group = Group("n1", "n2", "n3")
    group.elect("n1")
    group.nodes["n1"].core.limit("n3", 4)
    group.hand_over("n1", "n2")
    group.deliver()
    group.hand_over("n2", "n1")
    group.deliver()
    for number in range(10):
        group.propose("n1", f"x{number}")

    def under_way(to: str) -> int:
        sent = [one for one in group.sent.get(("n1", to), ()) if isinstance(one, Append)]
        return sum(len(entry.data) for one in sent for entry in one.entries)

    assert (under_way("n2"), under_way("n3")) == (20, 4)
    group.deliver()
    assert group.nodes["n3"].values == group.nodes["n1"].values == [f"x{number}" for number in range(10)]
