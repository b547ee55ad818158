"""How a leader changes members and hands over: leaders that keep the rules, and leaders that do not."""

from __future__ import annotations

from dataclasses import replace

from systems.raft.core.leader import Leader
from systems.raft.core.messages import Members, Vows
from systems.raft.core.role import Turn
from systems.raft.leading_rules import LeadsByTheRules
from systems.raft.rules import CORRECT
from tests.helpers.raft_group import TIMING, Group

FOUR = Members(("n1", "n2", "n3"), ("n4",))
FIVE = Members(("n1", "n2", "n3"), ("n4", "n5"))


def led(*, one_at_a_time: bool = True) -> Group:
    group = Group("n1", "n2", "n3", spare=["n4", "n5"], rules=replace(CORRECT, one_change_at_a_time=one_at_a_time))
    group.checks = False
    group.elect("n1")
    group.run(40)
    return group


def told(group: Group, name: str = "n1") -> str | None:
    return LeadsByTheRules().broken(name, group.nodes[name].core)


def test_one_change_after_another_breaks_nothing() -> None:
    group = led()
    group.change("n1", FOUR)
    assert told(group) is None
    group.run(200)
    voters = group.nodes["n1"].core.members.voters
    assert voters == ("n1", "n2", "n3", "n4")
    group.change("n1", Members(voters, ("n5",)))
    assert [told(group, name) for name in group.nodes] == [None] * 5


def test_a_change_while_another_one_is_under_way() -> None:
    group = led(one_at_a_time=False)
    group.change("n1", FOUR)
    assert told(group) is None
    group.change("n1", FIVE)
    last = group.nodes["n1"].core.state.log.last_index
    why = f"n1, which leads term 1, changes members at {last - 1}, {last}, and none of that is committed yet"
    assert told(group) == why
    group.deliver(to=["n2", "n3"])
    group.deliver()
    assert told(group) is None


def test_a_change_by_a_leader_that_has_committed_nothing_of_its_own() -> None:
    group = led(one_at_a_time=False)
    group.partition(["n2"], ["n1", "n3"])
    core = group.nodes["n2"].core
    core.state.vows = Vows(core.term + 1, "n2")
    core._role = Leader(core.state)
    assert told(group, "n2") is None
    group.change("n2", FOUR)
    last = core.state.log.last_index
    assert told(group, "n2") == f"n2 changes members at {last}, and has not committed any entry of term 2, its own"
    assert told(group) is None


class SendsToThoseWhoLeft(Leader):
    """A leader that forgets nobody."""

    def _follow_members(self) -> None:
        others = dict(self._others)
        super()._follow_members()
        self._others = {**others, **self._others}


def test_a_leader_sends_to_the_members_and_to_nobody_else() -> None:
    for kind, right in ((Leader, True), (SendsToThoseWhoLeft, False)):
        group = led()
        core = group.nodes["n1"].core
        core._role.__class__ = kind
        assert told(group) is None
        group.change("n1", Members(("n1", "n2")))
        assert (told(group) is None) is right
    assert told(group) == "n1, which leads term 1 with the members n1 n2, sends to n2, n3"


class HandsOverForEver(Leader):
    """A leader that does not notice that its successor's time is up."""

    def tick(self) -> Turn | None:
        successor = self._successor
        turn = super().tick()
        self._successor = successor
        return turn


def handed_over(kind: type[Leader], *, ms: int, again: bool = False) -> str | None:
    """What is found of a leader that hands over to a node that never answers; `again`: it is asked again and again."""
    group = led()
    group.nodes["n1"].core._role.__class__ = kind
    group.partition(["n1", "n2"], ["n3"])
    group.hand_over("n1", "n3")
    rule, found = LeadsByTheRules(), list[str | None]()
    for at_ms in range(0, ms, 10):
        group.run(10)
        if again and at_ms % 50 == 0:
            group.hand_over("n1", "n3")
        found.append(rule.broken("n1", group.nodes["n1"].core))
    return next((why for why in found if why is not None), None)


def test_a_leader_takes_leadership_back_if_its_successor_does_not_take_it() -> None:
    assert handed_over(Leader, ms=400) is None
    assert handed_over(Leader, ms=400, again=True) is None
    assert handed_over(HandsOverForEver, ms=150) is None
    why = handed_over(HandsOverForEver, ms=400)
    assert why == "n1 still hands over leadership 100 ms after it should have taken it back"


def test_a_leader_that_was_stopped_has_a_moment_to_notice() -> None:
    group, rule = led(), LeadsByTheRules()
    group.partition(["n1", "n2"], ["n3"])
    group.hand_over("n1", "n3")
    state = group.nodes["n1"].core.state
    for now_ms in (state.now_ms, state.now_ms + 1000, state.now_ms + 1001, state.now_ms + 2000):
        state.now_ms = now_ms
        assert rule.broken("n1", group.nodes["n1"].core) is None


class TrustsItsLeaseAgain(Leader):
    """A leader that takes its leave back together with leadership, which the other node does not hear of."""

    def tick(self) -> Turn | None:
        hands_over = self._successor is not None
        turn = super().tick()
        self._gave_leave = self._gave_leave and not (hands_over and self._successor is None)
        return turn


def leased(kind: type[Leader], *, hears: bool = True) -> str | None:
    """What is found of a leader that reads by lease and hands over in vain; `hears`: whether its successor has all entries."""
    group = Group("n1", "n2", "n3", timing=replace(TIMING, lease_ms=80))
    group.checks = False
    group.elect("n1")
    group.nodes["n1"].core._role.__class__ = kind
    group.run(40)
    rule, found = LeadsByTheRules(), list[str | None]()
    if not hears:
        group.partition(["n1", "n2"], ["n3"])
        group.propose("n1", "a")
    group.hand_over("n1", "n3")
    group.partition(["n1", "n2"], ["n3"])
    for _ in range(15):
        group.run(10)
        found.append(rule.broken("n1", group.nodes["n1"].core))
    assert group.leader == "n1"
    return next((why for why in found if why is not None), None)


def test_a_leader_that_has_told_another_node_to_campaign_holds_no_lease() -> None:
    assert leased(Leader) is None
    assert leased(TrustsItsLeaseAgain, hears=False) is None
    assert leased(TrustsItsLeaseAgain) == "n1, which leads term 1, holds a lease, and has told another node to campaign"


def test_a_leader_may_count_on_a_node_that_is_about_to_save_a_snapshot() -> None:
    """Until it has, its disk holds what it held before."""
    group = led()
    group.propose("n1", "a")
    group.run(40)
    state = group.nodes["n2"].core.state
    before, last = state.saved_index, state.log.last_index
    state.log.begin_at(last + 5, 1, state.log.members)
    state.saved_index, state.unsaved_from, state.commit = before - 1, last + 6, last + 5
    assert group.safety.broken(group.shown) is None
    state.saved_index = last + 5
    assert group.safety.broken(group.shown) is None


def test_a_leader_may_not_count_on_what_was_never_saved() -> None:
    group = led()
    group.propose("n1", "a")
    group.run(40)
    state = group.nodes["n2"].core.state
    state.saved_index -= 1
    assert "counts on n2 to have index" in (group.safety.broken(group.shown) or "")
