"""What a snapshot says of the committed entry that it stands for: it is so, or the snapshot took it from elsewhere."""

from __future__ import annotations

import pytest

from systems.raft.core.messages import Members, Snapshot
from tests.helpers.raft_group import Group

FOUR = Members(("n1", "n2", "n3"), ("n4",))


def cut_off_while_n4_joins() -> Group:
    """n1 leads, and its change of members, which comes after three committed entries, reaches no other node."""
    group = Group("n1", "n2", "n3", spare=["n4"])
    group.elect("n1")
    group.propose("n1", "a")
    group.propose("n1", "b")
    group.run(40)
    group.checks = False
    group.partition(["n1"], ["n2", "n3"])
    group.change("n1", FOUR)
    assert group.safety.broken(group.shown) is None
    return group


def test_snapshots_name_the_members_as_of_their_last_entry() -> None:
    group = cut_off_while_n4_joins()
    group.nodes["n1"].snapshot()
    group.nodes["n2"].snapshot(keep=1)
    assert group.safety.broken(group.shown) is None
    group.heal()
    group.run(200)
    group.nodes["n3"].snapshot()
    assert group.safety.broken(group.shown) is None


@pytest.mark.parametrize("keep", [0, 1])
def test_a_snapshot_that_names_members_of_a_later_entry(keep: int) -> None:
    group = cut_off_while_n4_joins()
    core = group.nodes["n1"].core
    core.compact(Snapshot(3, 1, core.members, "0,a,b"), keep=keep)
    why = "n1's snapshot begins after index 3, of term 1 with n1 n2 n3 (n4): to n1 that is of term 1 with n1 n2 n3"
    assert group.safety.broken(group.shown) == why


def test_a_log_that_begins_with_what_such_a_snapshot_names() -> None:
    group = cut_off_while_n4_joins()
    state = group.nodes["n3"].core.state
    state.log.begin_at(3, 1, FOUR)
    why = "n3's log begins after index 3, of term 1 with n1 n2 n3 (n4): to n1 that is of term 1 with n1 n2 n3"
    assert group.safety.broken(group.shown) == why


def test_a_snapshot_of_an_entry_of_another_term() -> None:
    group = cut_off_while_n4_joins()
    core = group.nodes["n2"].core
    core.state.snapshot = Snapshot(3, 2, core.members, "0,a,b")
    assert "of term 2 with n1 n2 n3: to n1 that is of term 1" in (group.safety.broken(group.shown) or "")


def test_a_log_that_begins_after_what_its_node_knows_to_be_committed() -> None:
    group = cut_off_while_n4_joins()
    group.nodes["n2"].snapshot()
    group.nodes["n2"].core.state.commit = 2
    why = "n2's log begins after index 3, and it knows of committed entries up to 2 only"
    assert group.safety.broken(group.shown) == why
