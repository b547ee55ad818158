"""Changes of a group's members, in the Raft core."""

from __future__ import annotations

import pytest

from systems.raft.core.core import NotLeading
from systems.raft.core.messages import Members
from tests.helpers.raft_group import Group, elected


def test_a_node_that_joins_learns_first_and_votes_when_it_has_caught_up() -> None:
    group = Group("n1", "n2", "n3", spare=["n4"])
    group.elect("n1")
    for number in range(3):
        group.propose("n1", f"x{number}")
    group.deliver()
    group.change("n1", Members(("n1", "n2", "n3"), ("n4",)))
    group.run(100)
    assert group.nodes["n1"].core.members == Members(("n1", "n2", "n3", "n4"))
    assert group.nodes["n4"].values == ["x0", "x1", "x2"]


def test_members_change_one_at_a_time() -> None:
    group = elected()
    with pytest.raises(ValueError, match="one voter at a time"):
        group.change("n1", Members(("n1", "n4", "n5")))
    group.change("n1", Members(("n1", "n2")))
    with pytest.raises(NotLeading, match="members are changing"):
        group.change("n1", Members(("n1",)))


def test_a_leader_that_is_removed_leads_until_that_is_committed() -> None:
    group = elected()
    group.change("n1", Members(("n2", "n3")))
    assert group.nodes["n1"].core.role == "leader"
    group.deliver()
    assert group.nodes["n1"].core.role == "follower"
    group.run(400)
    assert group.leader in ("n2", "n3")
    assert group.nodes["n1"].core.term == 1  # it hears of no later term, and campaigns in none


def test_a_removed_node_that_alone_has_the_entry_of_its_removal_is_elected_to_commit_it() -> None:
    group = Group("n1", "n2")
    group.elect("n1")
    group.deliver()
    group.partition(["n1"], ["n2"])
    group.change("n1", Members(("n2",)))
    group.run(50)
    group.kill("n1")
    group.heal()
    group.restart("n1")
    group.run(1000)  # n2 needs the vote of n1, which has the more recent log
    assert group.leader == "n2"
    assert {node.core.members for node in group.nodes.values()} == {Members(("n2",))}


def test_a_member_that_joined_later_campaigns_to_commit_its_removal_also_after_a_restart() -> None:
    group = Group("n1", "n2", "n3", spare=["s1"])
    group.elect("n1")
    group.change("n1", Members(("n1", "n2", "n3"), ("s1",)))
    group.run(100)
    assert group.nodes["s1"].core.members == Members(("n1", "n2", "n3", "s1"))
    group.kill("n1")
    group.elect("s1")
    group.run(50)
    group.partition(["s1"], ["n2", "n3"])
    group.change("s1", Members(("n1", "n2", "n3")))
    group.kill("s1")
    group.heal()
    group.restart("s1")  # as of the last commit that it knows of now, it was no member yet
    group.run(1000)  # n2 and n3 are no majority of four, and s1 has the more recent log
    assert group.leader in ("n2", "n3")
    assert group.nodes["n2"].core.members == Members(("n1", "n2", "n3"))


def test_what_an_uncommitted_change_left_is_void_when_its_entry_is() -> None:
    group = elected()
    group.partition(["n1"], ["n2", "n3"])
    group.change("n1", Members(("n1", "n2")))
    group.run(400)
    group.heal()
    group.run(200)
    assert {node.core.members for node in group.nodes.values()} == {Members(("n1", "n2", "n3"))}
