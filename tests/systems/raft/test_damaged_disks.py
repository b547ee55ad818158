"""Nodes of a Raft group that have lost their logs."""

from __future__ import annotations

from msgspec.structs import replace

from systems.raft.core.messages import Members, Vote, Vows
from systems.raft.core.recovery import FORGOTTEN, Recovery, Told
from systems.raft.invariant import RaftSafety
from tests.helpers.raft_group import Group, elected


def test_a_node_whose_disk_was_damaged_waits_for_all_others_and_votes_when_it_has_caught_up() -> None:
    group = elected()
    group.propose("n1", "x")
    group.deliver()
    group.kill("n2")
    group.kill("n3")
    assert not group.lose_disk("n2")  # n3 cannot tell
    group.restart("n3")
    assert group.lose_disk("n2")
    lost = group.nodes["n2"].core
    assert not lost.state.complete
    lost.step(group.now_ms, "n3", Vote(term=1, last_index=9, last_term=9))
    assert lost.state.vows.vote != "n3"
    group.run(300)
    assert lost.state.complete
    assert group.nodes["n2"].values == ["x"]


def test_a_damaged_node_votes_for_the_only_node_with_a_change_of_members_that_needs_its_vote() -> None:
    group = elected()
    group.kill("n3")
    group.partition(["n1"], ["n2"])
    group.change("n1", Members(("n2", "n3")))
    group.run(400)
    assert group.leader is None
    group.heal()
    assert group.lose_disk("n3")
    group.run(1000)
    assert group.leader in ("n2", "n3")
    assert {node.core.members for node in group.nodes.values()} == {Members(("n2", "n3"))}


def test_entries_that_only_a_leader_that_has_left_holds_need_no_vote() -> None:
    group = elected()
    change = group.change("n1", Members(("n2", "n3")))
    group.deliver(to=["n2", "n3"])
    group.cut |= {("n1", "n2"), ("n1", "n3")}
    group.propose("n1", "only here")
    group.deliver()
    left = group.nodes["n1"].core.state
    assert left.commit == change.index < left.log.last_index
    assert group.leader is None
    group.heal()
    group.kill("n3")
    assert group.lose_disk("n3")
    group.run(1000)
    assert group.leader in ("n2", "n3")


VOTER = Told(term=3, last_term=2, last_index=7, members=("n1", "n2", "n3", "n4"), may_campaign=True)


def recovery() -> Recovery:
    return Recovery("n3", Members(("n1", "n2", "n3")))


def test_entries_that_only_a_learner_holds_need_no_vote() -> None:
    learner = replace(VOTER, last_index=9, may_campaign=False)
    asked, told = recovery(), {"n1": VOTER, "n2": VOTER, "n4": learner}
    assert asked.vows_after(told) is None
    vows = asked.vows_after(told)
    assert vows == Vows(3, FORGOTTEN, (2, 7))


def test_whoever_learns_that_it_has_left_is_asked_with_all_others_once_more() -> None:
    """The removal was committed by voters that may have answered before they had it, and all that came before it."""
    leader, left = replace(VOTER, last_index=9), replace(VOTER, last_index=9, may_campaign=False)
    asked, later = recovery(), replace(VOTER, last_index=9)
    assert asked.vows_after({"n1": leader, "n2": VOTER, "n4": VOTER}) is None
    assert asked.vows_after({"n1": left, "n2": VOTER, "n4": VOTER}) is None
    assert asked.vows_after({"n1": left, "n2": later, "n4": VOTER}) == Vows(3, FORGOTTEN, (2, 9))


def test_a_round_in_which_a_member_does_not_answer_does_not_count() -> None:
    asked, told = recovery(), {"n1": VOTER, "n2": VOTER, "n4": VOTER}
    assert asked.vows_after(told) is None
    assert asked.vows_after({"n1": VOTER, "n2": VOTER}) is None
    assert asked.vows_after(told) is None
    assert asked.vows_after(told) is not None


def test_a_member_is_asked_even_if_its_removal_may_never_be_committed() -> None:
    group = Group("n1", "n2", "n3", spare=["s1"])
    group.elect("n3")
    group.run(20)
    group.change("n3", Members(("n2", "n3")))
    group.run(100)
    group.change("n3", Members(("n2", "n3"), ("s1",)))
    group.run(200)
    assert group.nodes["n2"].core.members == Members(("n2", "n3", "s1"))
    group.partition(["n3"], ["n2", "s1"])
    group.change("n3", Members(("n2", "n3")))
    group.run(1000)
    assert group.leader in ("n2", "s1")
    group.propose(group.leader, "x")
    group.run(100)
    assert group.nodes["s1"].values == ["x"]  # with n2, which forgets it
    group.kill("s1")
    group.kill("n2")
    group.heal()
    assert not group.lose_disk("n2")


def test_a_voter_that_leaves_counts_until_it_knows_that_it_has_left() -> None:
    group = elected()
    group.kill("n2")
    group.propose("n1", "x")
    group.deliver()
    assert group.nodes["n1"].values == ["x"]  # with n3, which forgets it
    group.change("n1", Members(("n2", "n3")))
    group.deliver()
    group.restart("n2")
    group.partition(["n1"], ["n2"])
    group.kill("n3")
    assert group.lose_disk("n3")
    lost = group.nodes["n3"].core
    lost.step(group.now_ms + 1000, "n2", Vote(term=9, last_index=1, last_term=1))
    assert lost.state.vows.vote != "n2"


def test_a_voter_that_joined_later_and_leaves_counts_also_after_a_restart() -> None:
    group = Group("n1", "n2", spare=["s1"])
    group.elect("n1")
    group.change("n1", Members(("n1", "n2"), ("s1",)))
    group.run(100)
    assert group.nodes["s1"].core.members == Members(("n1", "n2", "s1"))
    group.elect("s1")
    group.run(50)
    group.partition(["n1", "s1"], ["n2"])
    group.propose("s1", "x")
    group.deliver()
    assert group.nodes["s1"].values == ["x"]  # with n1, which forgets it
    group.partition(["n1"], ["n2"], ["s1"])
    group.change("s1", Members(("n1", "n2")))
    group.kill("s1")
    group.kill("n1")
    group.restart("s1")  # as of the last commit that it knows of now, it was no member yet
    assert group.lose_disk("n1")
    lost, last = group.nodes["n1"].core, group.nodes["n2"].core.state.log
    lost.step(group.now_ms + 1000, "n2", Vote(term=9, last_index=last.last_index, last_term=last.last_term))
    assert lost.state.vows.vote != "n2"


def test_a_new_voters_copies_count_only_when_it_knows_that_it_votes() -> None:
    group = Group("n1", "n2", spare=["s1"])
    group.elect("n1")
    group.run(20)
    group.cut |= {("n1", "s1"), ("s1", "n1")}
    group.change("n1", Members(("n1", "n2"), ("s1",)))
    group.deliver()
    group.partition(["n1", "s1"], ["n2"])
    group.propose("n1", "x")
    while group.nodes["n1"].core.members != Members(("n1", "n2", "s1")):
        group.tick(10, "n1")
        for pair in list(group.sent):
            group.deliver_one(*pair)
    assert group.nodes["n1"].values == []  # if n1 lost its disk now, nobody would know that s1 votes
    group.deliver()
    assert group.nodes["n1"].values == ["x"]
    group.kill("n1")
    group.heal()
    assert group.lose_disk("n1")
    group.run(1000)
    assert [node.values for node in group.nodes.values()] == [["x"]] * 3


def test_a_node_may_lose_its_disk_and_catch_up_between_two_looks_of_the_invariant() -> None:
    group = elected()
    assert group.disks["n2"].vows.vote == "n1"
    term = group.nodes["n2"].core.term
    safety = RaftSafety()
    assert safety.broken(group.shown) is None
    group.kill("n2")
    assert group.lose_disk("n2")
    group.run(300)
    lost = group.nodes["n2"].core
    assert (lost.state.complete, lost.term) == (True, term)
    assert safety.broken(group.shown) is None
    group.disks["n2"].vows = Vows(term, "n3")
    assert safety.broken(group.shown) == f"n2 voted for ? and for n3 in term {term}"


def test_two_nodes_with_damaged_disks_do_not_vouch_for_each_other() -> None:
    group = elected()
    group.kill("n2")
    assert group.lose_disk("n2")
    group.kill("n3")
    assert not group.lose_disk("n3")
