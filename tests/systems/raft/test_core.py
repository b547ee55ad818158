"""The Raft core, scene by scene: what each node saves, sends and applies. The longer scenes are transcripts to read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from systems.raft.core.core import NotLeading
from systems.raft.core.messages import CampaignNow, Entry, Members, PreVote, Vote
from systems.raft.core.pieces import Sending
from systems.raft.rules import CORRECT
from tests.helpers.raft_group import TIMING, Group, elected

Matches = Callable[[str, str], None]


def test_an_election_a_write_and_a_read(matches_transcript: Matches) -> None:
    group = Group("n1", "n2", "n3")
    group.elect("n1")
    group.propose("n1", "x=1")
    group.deliver()
    group.read("n1", 1)
    group.deliver()
    matches_transcript("raft-election-write-read", group.transcript())


def test_a_cut_off_leader_loses_what_no_other_node_has(matches_transcript: Matches) -> None:
    group = elected()
    group.partition(["n1"], ["n2", "n3"])
    group.propose("n1", "lost")
    group.drop()
    group.now_ms += 200
    group.tick(0, "n2")
    group.deliver()
    group.propose("n2", "kept")
    group.deliver()
    group.heal()
    group.tick(20, "n2")
    group.deliver()
    group.tick(20, "n2")
    group.deliver()
    assert [node.values for node in group.nodes.values()] == [["kept"]] * 3
    matches_transcript("raft-cut-off-leader", group.transcript())


def test_an_entry_of_an_old_term_is_not_committed_by_counting_its_copies(matches_transcript: Matches) -> None:
    """Figure 8 of the paper, (a) to (c): n1's entry reaches three of five nodes, and n5 may still overwrite it."""
    group = Group("n1", "n2", "n3", "n4", "n5", timing=replace(TIMING, batch=1))
    group.elect("n1")
    group.run(20)
    group.partition(["n1", "n2"], ["n3", "n4", "n5"])
    old = group.propose("n1", "old")
    group.deliver()
    group.kill("n1")
    until_it_leads(group, "n5")
    group.kill("n5")
    group.drop()
    group.restart("n1")
    group.partition(["n1", "n2", "n3"], ["n4", "n5"])
    until_it_leads(group, "n1")
    log, held = group.nodes["n1"].core.state, group.nodes["n3"].core.state.log
    while held.term(old.index) != old.term:
        group.deliver_one(*next(iter(group.sent)))
    group.deliver_one("n3", "n1")
    assert [group.nodes[name].core.state.log.term(old.index) for name in ("n1", "n2", "n3")] == [old.term] * 3
    assert log.commit < old.index
    group.deliver()
    assert log.commit > old.index
    matches_transcript("raft-figure-8", group.transcript())


def until_it_leads(group: Group, name: str) -> None:
    """Message by message, so that none of what a leader sends has come anywhere yet."""
    while group.nodes[name].core.role != "leader":
        if not group.sent:
            group.now_ms += 200
            group.tick(0, name)
        group.deliver_one(*next(iter(group.sent)))


def test_a_node_that_was_away_is_given_a_snapshot(matches_transcript: Matches) -> None:
    group = elected()
    group.kill("n3")
    for number in range(5):
        group.propose("n1", f"x{number}")
        group.deliver()
    group.nodes["n1"].snapshot()
    group.nodes["n2"].snapshot()
    group.restart("n3")
    group.lines.clear()
    group.run(60, step_ms=20)
    assert group.nodes["n3"].values == [f"x{number}" for number in range(5)]
    matches_transcript("raft-snapshot", group.transcript())


def test_leadership_is_handed_over(matches_transcript: Matches) -> None:
    group = elected()
    group.lines.clear()
    group.hand_over("n1", "n3")
    group.deliver()
    assert group.leader == "n3"
    matches_transcript("raft-hand-over", group.transcript())


# --------------------------------------------------------------------------------------------------------------- elections


def test_a_node_that_was_cut_off_unseats_no_leader_when_it_comes_back() -> None:
    group = elected()
    group.partition(["n3"], ["n1", "n2"])
    group.run(2000)
    assert group.nodes["n3"].core.term == 1
    group.heal()
    group.run(300)
    assert (group.leader, group.nodes["n1"].core.term) == ("n1", 1)


def test_without_pre_vote_it_does() -> None:
    group = Group("n1", "n2", "n3", rules=replace(CORRECT, asks_before_campaigning=False))
    group.elect("n1")
    group.run(20)
    group.partition(["n3"], ["n1", "n2"])
    group.run(2000)
    group.heal()
    group.run(300)
    assert group.nodes["n1"].core.term > 5


def test_a_leader_that_hears_no_majority_steps_down() -> None:
    group = elected()
    group.cut = {("n2", "n1"), ("n3", "n1")}
    group.run(3 * TIMING.election_ms)
    assert group.nodes["n1"].core.role != "leader"
    assert group.leader in ("n2", "n3")


def test_a_vote_is_given_once_a_term_and_outlasts_a_restart() -> None:
    group = Group("n1", "n2", "n3")
    group.nodes["n3"].core.step(0, "n1", Vote(term=1, last_index=0, last_term=0))
    group.settle("n3")
    group.kill("n3")
    group.restart("n3")
    group.now_ms += 10 * TIMING.election_ms
    group.nodes["n3"].core.step(group.now_ms, "n2", Vote(term=1, last_index=9, last_term=0))
    group.settle("n3")
    assert "vote refused" in group.lines[-1]


def test_a_restarted_node_waits_before_it_votes_for_the_leader_it_may_have_heard() -> None:
    group = elected()
    group.kill("n2")
    group.restart("n2")
    group.nodes["n2"].core.step(group.now_ms, "n3", PreVote(term=1, last_index=9, last_term=1))
    group.settle("n2")
    assert "n2>n3" not in group.lines[-1]


def test_a_group_of_one_leads_itself_and_commits_what_is_on_its_disk() -> None:
    group = Group("n1")
    group.tick(TIMING.election_ms)
    group.propose("n1", "x")
    group.read("n1", 1)
    assert group.nodes["n1"].values == ["x"]
    assert group.nodes["n1"].reads == [1]


# --------------------------------------------------------------------------------------------------------------------- reads


def test_a_cut_off_leader_answers_no_read() -> None:
    group = elected()
    group.partition(["n1"], ["n2", "n3"])
    group.read("n1", 1)
    group.run(TIMING.election_ms * 2)
    assert group.nodes["n1"].reads == []
    with pytest.raises(NotLeading):
        group.read("n1", 2)


def test_a_new_leader_answers_no_read_before_it_has_committed_an_entry_of_its_term() -> None:
    group = Group("n1", "n2", "n3")
    group.now_ms += 200
    group.tick(0, "n1")
    while group.nodes["n1"].core.role != "leader":
        group.deliver_one(*next(iter(group.sent)))
    group.read("n1", 1)
    assert group.nodes["n1"].reads == []
    group.deliver()
    assert group.nodes["n1"].reads == [1]


def test_a_lease_answers_at_once_and_ends_before_another_node_can_be_elected() -> None:
    group = elected(timing=replace(TIMING, lease_ms=80))
    group.run(40)
    group.read("n1", 1)
    assert group.nodes["n1"].reads == [1]
    group.drop()
    group.now_ms += 81
    group.read("n1", 2)
    assert group.nodes["n1"].reads == [1]


def test_a_leader_that_has_told_another_node_to_campaign_holds_no_lease_any_more() -> None:
    group = elected(timing=replace(TIMING, lease_ms=80))
    group.run(40)
    group.hand_over("n1", "n2")
    assert any(isinstance(message, CampaignNow) for message in group.sent["n1", "n2"])
    held = list(group.sent["n1", "n2"])
    group.drop()
    for _ in range(20):  # it gives up handing over, and is confirmed again
        group.tick(10)
        group.deliver()
    assert group.leader == "n1"
    assert not group.nodes["n1"].core.leading.holds_lease  # type: ignore[union-attr]
    group.nodes["n2"].core.step(group.now_ms, "n1", held[-1])  # and then the word arrives after all
    group.settle("n2")
    group.deliver()
    assert group.leader == "n2"


def test_an_old_snapshot_changes_nothing() -> None:
    group = elected()
    group.propose("n1", "x")
    group.deliver()
    group.nodes["n1"].snapshot()
    old = group.nodes["n1"].core.state.snapshot
    assert old is not None
    group.propose("n1", "y")
    group.run(40)
    group.nodes["n2"].core.step(group.now_ms, "n1", Sending(old).piece(1, 1000, 0))
    group.settle("n2")
    assert group.nodes["n2"].values == ["x", "y"]


def test_nodes_are_apart_until_one_leads_and_all_members_have_applied_its_log() -> None:
    group = Group("n1", "n2", "n3")
    assert group.safety.apart(group.shown) == "no node leads"
    group.elect("n1")
    group.partition(["n1", "n2"], ["n3"])
    group.propose("n1", "a")
    group.run(100)
    assert "n3 has the log up to 1, n1, which leads, up to 2" in str(group.safety.apart(group.shown))
    group.heal()
    group.run(300)
    assert group.safety.apart(group.shown) is None
    group.kill("n2")
    assert group.safety.apart(group.shown) == "n2, a member, has not read what is on its disk"


def test_a_leader_must_not_count_on_what_is_not_on_anothers_disk() -> None:
    group = elected()
    group.propose("n1", "a")
    group.deliver()
    assert group.safety.broken(group.shown) is None
    group.nodes["n2"].core.state.truncate(2)
    assert "n1, which leads term 1, counts on n2 to have index 2" in str(group.safety.broken(group.shown))


def test_a_leader_that_has_left_its_group_must_not_lead() -> None:
    group = elected()
    group.checks = False
    group.change("n1", Members(("n2", "n3")))
    group.nodes["n1"].core.state.commit = 2
    assert "n1 leads term 1 although it has left the group" in str(group.safety.broken(group.shown))


def test_nodes_must_agree_about_the_members_as_of_each_committed_entry() -> None:
    group = elected()
    group.change("n1", Members(("n1", "n2")))
    group.checks = False
    group.deliver()
    log = group.nodes["n2"].core.state.log
    log.begin_at(log.last_index, log.last_term, Members(("n1", "n2", "n3", "n4")))
    group.propose("n1", "a")
    group.run(100)
    assert "the members are" in str(group.safety.broken(group.shown))


@pytest.mark.parametrize("saved", [True, False])
def test_only_a_node_that_could_not_save_an_entry_may_forget_that_it_was_committed(saved: bool) -> None:
    group = elected()
    group.propose("n1", "a")
    group.run(100)
    group.checks = False
    state = group.nodes["n3"].core.state
    assert state.commit == state.log.last_index == 2
    state.saved_index = 2 if saved else 1
    assert group.safety.broken({"n3": group.shown["n3"]}) is None
    state.commit = 1
    state.truncate(2)
    state.append(Entry(2, 7, "b"))
    why = group.safety.broken({"n3": group.shown["n3"]})
    assert why == ("n3 has replaced the entry of index 2, which it knew to be committed" if saved else None)
