"""Elections that are only imagined: groups to accept, and groups in which the wrong node would be elected."""

from __future__ import annotations

from dataclasses import replace

from systems.raft.core.messages import Members, Vote, Vows
from systems.raft.core.state import Timing
from systems.raft.imagined import Committed, ImaginedElections, Voter
from systems.raft.rules import CORRECT, Rules
from tests.helpers.raft_group import TIMING, Disk, Group

LEASED = replace(TIMING, lease_ms=80)
HALF = Rules(majority_is_more_than_half=False)
EAGER = Rules(restarts_wait=False)


def with_an_entry(*names: str, rules: Rules = CORRECT, timing: Timing = TIMING) -> Group:
    """Nodes which have index 1, of n1's election, and index 2, and know of it. Nothing is checked by the group itself."""
    group = Group(*(names or ("n1", "n2", "n3")), rules=rules, timing=timing)
    group.checks = False
    group.elect("n1")
    group.propose("n1", "x")
    group.run(40)
    assert looked_at(group) is None or not rules.votes_need_current_log
    return group


def looked_at(group: Group) -> str | None:
    return group.safety.broken(group.shown)


def until_broken(group: Group, ms: int) -> str | None:
    for _ in range(ms // 5):
        group.run(5, step_ms=5)
        if (why := looked_at(group)) is not None:
            return why
    return None


# ------------------------------------------------------------------------------------------------------- to ask a node


def test_a_node_that_is_asked_for_a_vote_in_imagination_does_not_notice() -> None:
    group = with_an_entry()
    for node in group.nodes.values():
        core = node.core
        before = core.state.vows, core.role, core.leader, core.state.now_ms, core.state.random.getstate()
        request = Vote(term=core.term + 1, last_index=9, last_term=9, transfer=True)
        assert core.would_vote(group.now_ms + 1000, "n2", request)
        assert before == (core.state.vows, core.role, core.leader, core.state.now_ms, core.state.random.getstate())
        assert core.take().empty


def test_a_node_would_vote_once_its_leader_has_been_silent_or_asks_it_to() -> None:
    group = with_an_entry()
    core, request = group.nodes["n2"].core, Vote(term=2, last_index=2, last_term=1)
    assert not core.would_vote(group.now_ms, "n3", request)
    assert core.would_vote(group.now_ms + TIMING.election_ms, "n3", request)
    assert core.would_vote(group.now_ms, "n3", Vote(term=2, last_index=2, last_term=1, transfer=True))
    assert not core.would_vote(group.now_ms, "n3", Vote(term=2, last_index=1, last_term=1, transfer=True))


# ------------------------------------------------------------------------------------------------------- what was there


def test_a_node_that_has_lost_its_disk_and_waits_until_it_has_caught_up_breaks_nothing() -> None:
    group = with_an_entry()
    group.kill("n2")
    assert looked_at(group) is None
    assert group.lose_disk("n2")
    assert looked_at(group) is None
    assert until_broken(group, 300) is None
    assert group.nodes["n2"].core.state.complete


def test_a_node_that_has_lost_its_disk_and_does_not_know_it() -> None:
    group = with_an_entry()
    group.kill("n1")
    group.kill("n2")
    group.disks["n2"] = Disk(group.members)
    group.disks["n2"].vows = Vows(1, "n1")
    group.restart("n2")
    assert looked_at(group) == (
        "n2, whose log ends with index 0, would vote for a node that lacks the committed entry of index 2, which was on its own"
        " disk"
    )


def test_what_was_never_committed_may_be_lost() -> None:
    group = with_an_entry()
    group.partition(["n1"], ["n2", "n3"])
    group.propose("n1", "y")
    assert looked_at(group) is None
    group.kill("n1")
    group.disks["n1"].entries.pop()
    group.restart("n1")
    assert looked_at(group) is None


def test_a_node_votes_for_one_that_lacks_what_it_has() -> None:
    group = with_an_entry(rules=Rules(votes_need_current_log=False))
    assert "would vote for a node that lacks the committed entry of index 2" in (looked_at(group) or "")


def test_a_snapshot_in_place_of_the_log_is_as_good() -> None:
    group = with_an_entry()
    group.nodes["n2"].snapshot()
    assert group.nodes["n2"].core.state.log.base_index == 2
    assert looked_at(group) is None
    group.kill("n2")
    group.restart("n2")
    assert looked_at(group) is None


# ----------------------------------------------------------------------------------------------------- who would be elected


def test_a_majority_that_lacks_a_committed_entry() -> None:
    group = with_an_entry("n1", "n2", "n3", "n4", rules=HALF)
    group.partition(["n1", "n2"], ["n3", "n4"])
    group.propose("n1", "y")
    assert until_broken(group, 20) == (
        "n3, whose log ends with index 2, would be elected, and lacks the committed entry of index 3"
    )


def test_a_minority_that_lacks_a_committed_entry_is_not_elected() -> None:
    group = with_an_entry("n1", "n2", "n3", "n4", "n5")
    group.partition(["n1", "n2", "n3"], ["n4", "n5"])
    group.propose("n1", "y")
    assert until_broken(group, 20) is None
    group.kill("n1")
    assert looked_at(group) is None


def test_members_that_left_the_group_are_not_elected_by_those_they_remember() -> None:
    group = with_an_entry()
    group.partition(["n1", "n2"], ["n3"])
    group.change("n1", Members(("n1", "n2")))
    assert until_broken(group, 20) is None
    group.change("n1", Members(("n1",)))
    assert until_broken(group, 20) is None
    group.propose("n1", "y")
    assert until_broken(group, 20) is None


# --------------------------------------------------------------------------------------------------------------- leases


def test_a_node_that_is_restarted_votes_for_nobody_while_a_lease_may_hold() -> None:
    for rules in CORRECT, EAGER:
        group = with_an_entry(timing=LEASED, rules=rules)
        group.kill("n2")
        group.restart("n2")
        why = looked_at(group)
        assert why is None if rules.restarts_wait else "n2 would vote for another node" in (why or "")


def test_it_may_vote_as_soon_as_the_lease_is_over() -> None:
    group = with_an_entry(timing=LEASED, rules=EAGER)
    group.kill("n2")
    group.partition(["n1", "n3"], ["n2"])
    assert until_broken(group, 80) is None
    group.restart("n2")
    assert looked_at(group) is None


def test_without_leases_nobody_relies_on_who_was_heard() -> None:
    group = with_an_entry(rules=EAGER)
    group.kill("n2")
    group.restart("n2")
    assert looked_at(group) is None


def test_another_node_would_be_elected_while_a_lease_holds() -> None:
    group = with_an_entry("n1", "n2", "n3", "n4", rules=HALF, timing=LEASED)
    group.partition(["n1", "n2"], ["n3", "n4"])
    assert until_broken(group, 400) == "n3 would be elected while n1, which leads term 1, holds a lease"


def test_another_node_leads_while_a_lease_holds() -> None:
    group = with_an_entry("n1", "n2", "n3", "n4", rules=HALF, timing=LEASED)
    group.partition(["n1", "n2"], ["n3", "n4"])
    while group.leader == "n1":
        group.run(5, step_ms=5)
    voters = {name: Voter(shown.core, shown.vows.term, shown.now_ms) for name, shown in group.shown.items()}
    why = ImaginedElections().broken(voters, Committed(0, lambda index: None))
    assert why == f"{group.leader} leads term 2 while n1, which leads term 1, holds a lease"


def test_a_leader_that_is_cut_off_has_no_lease_when_another_one_is_elected() -> None:
    group = with_an_entry(timing=LEASED)
    group.partition(["n1"], ["n2", "n3"])
    assert until_broken(group, 500) is None
    assert group.leader != "n1"


def test_a_lease_counts_from_a_moment_since_which_a_majority_has_heard_the_leader() -> None:
    group = with_an_entry(timing=LEASED)
    assert until_broken(group, 200) is None
    group.partition(["n1", "n2"], ["n3"])
    assert until_broken(group, 200) is None
    leading = group.nodes["n1"].core.leading
    assert leading is not None
    leading.reads.confirmed_ms = group.now_ms + 1  # when n2 cannot have heard it yet
    why = looked_at(group)
    assert why is not None
    assert why.startswith("n1, which leads term 1, counts its lease from a moment since which n2, n3, enough to elect")
    group.kill("n2")
    assert looked_at(group) is None  # it may have heard the leader just before


def test_a_leader_that_hands_over_gives_its_lease_up() -> None:
    group = with_an_entry(timing=LEASED)
    group.hand_over("n1", "n2")
    assert until_broken(group, 100) is None
    assert group.leader == "n2"
