"""What members of a group have to agree about once all have the same log, and what they may hold while they do not."""

from __future__ import annotations

from systems.raft.invariant import RaftSafety
from tests.helpers.raft_group import Group


def group_of_three() -> Group:
    group = Group("n1", "n2", "n3")
    group.elect("n1")
    for data in ("x=1", "y=2"):
        group.propose("n1", data)
    group.run(100)
    return group


def apart(group: Group) -> str | None:
    return RaftSafety().apart(group.shown)


def test_members_that_have_applied_the_same_log_agree() -> None:
    assert apart(group_of_three()) is None


def test_one_that_was_restored_from_a_snapshot_agrees_with_the_others() -> None:
    group = group_of_three()
    group.nodes["n3"].snapshot()
    group.kill("n3")
    group.restart("n3")
    group.run(100)
    assert apart(group) is None


def test_one_that_was_away_is_behind() -> None:
    group = group_of_three()
    group.partition(["n1", "n2"], ["n3"])
    group.propose("n1", "z=3")
    group.run(100)
    assert "n3 has the log up to 3, n1, which leads, up to 4" in (apart(group) or "")


def test_one_that_restored_less_than_its_snapshot_holds_is_told_from_the_others() -> None:
    group = group_of_three()
    group.nodes["n3"].values.remove("y=2")
    assert apart(group) == "the state machines of n1 and n3 differ after the same entries: …x=1,y=2… and …x=1…"


def test_only_the_surroundings_of_the_difference_are_shown() -> None:
    group = group_of_three()
    for node, end in zip(group.nodes.values(), "aab", strict=True):
        node.values = ["x" * 1000 + end + "y" * 1000]
    assert apart(group) == (
        f"the state machines of n1 and n3 differ after the same entries: …{'x' * 30}a{'y' * 29}… and …{'x' * 30}b{'y' * 29}…"
    )


def test_a_leader_alone_is_apart_from_members_that_do_not_run() -> None:
    group = group_of_three()
    group.kill("n2")
    assert apart(group) == "n2, a member, has not read what is on its disk"
