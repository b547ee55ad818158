"""Steps of one node that are only imagined: nodes to accept, and nodes that would take a wrong one."""

from __future__ import annotations

import msgspec
import pytest

from systems.raft.core.core import Core
from systems.raft.core.leader import Leader
from systems.raft.core.log import Log
from systems.raft.core.messages import Append, Appended, Entry, Members, Message, PreVoteAnswer, VoteAnswer
from systems.raft.core.reads import ReadReady, Reads
from systems.raft.imagined_steps import broken
from tests.helpers.raft_group import Group

THREE, FOUR = Members(("n1", "n2", "n3")), Members(("n1", "n2", "n3"), ("n4",))


class KeepsOneTooMany(Log):
    """A log that keeps the members of a change which is the first entry to be dropped."""

    def truncate(self, index: int) -> None:
        members = self._members[:]
        super().truncate(index)
        self._members = [(at, one) for at, one in members if at <= index]


class JoinsRounds(Reads):
    """Reads that join a round which began before they arrived."""

    def add(self, number: int, index: int) -> None:
        (self._rounds[-1].reads if self._rounds else self._waiting).append(ReadReady(number, index))


def led() -> Group:
    group = Group("n1", "n2", "n3", spare=["n4"])
    group.elect("n1")
    group.run(40)
    return group


def told(group: Group, name: str = "n1") -> str | None:
    return broken(name, group.nodes[name].core)


def test_a_group_that_reads_and_changes_its_members_breaks_nothing() -> None:
    group = led()
    group.change("n1", FOUR)
    assert told(group) is None
    group.read("n1", 7)
    assert told(group) is None
    group.run(100)
    assert group.nodes["n1"].core.members == Members(("n1", "n2", "n3", "n4"))
    assert [told(group, name) for name in ("n1", "n2", "n3", "n4")] == [None] * 4


def test_looking_changes_neither_log_nor_reads() -> None:
    group = led()
    group.change("n1", FOUR)
    group.read("n1", 7)
    leading, log = group.nodes["n1"].core.leading, group.nodes["n1"].core.state.log
    assert leading is not None
    before = log.last_index, log.members, leading.reads.last_round, leading.reads.need_round, list(leading.reads.ready)
    assert told(group) is None
    after = log.last_index, log.members, leading.reads.last_round, leading.reads.need_round, list(leading.reads.ready)
    assert after == before


def test_members_must_be_those_of_the_log() -> None:
    group = led()
    state = group.nodes["n1"].core.state
    state.log = Log(FOUR, base_index=0, entries=[Entry(1, 1), Entry(2, 1, members=THREE)])
    assert told(group) is None
    state.log._members[-1] = (2, FOUR)
    assert "which its log does not say" in (told(group) or "")


def test_members_go_with_the_entry_that_changed_them() -> None:
    group = led()
    state = group.nodes["n1"].core.state
    entries = [*state.log.slice(1, state.log.last_index), Entry(state.log.last_index + 1, 1, members=FOUR)]
    for kind, right in ((Log, True), (KeepsOneTooMany, False)):
        state.log = kind(THREE, entries=entries)
        assert (told(group) is None) is right
    assert "were replaced" in (told(group) or "")


def test_no_read_is_confirmed_by_what_was_asked_before_it() -> None:
    group = led()
    leading = group.nodes["n1"].core.leading
    assert leading is not None
    leading.reads.begin_round(group.now_ms)
    assert told(group) is None
    leading.reads = JoinsRounds()
    leading.reads.begin_round(group.now_ms)
    assert "would answer a read that arrives now" in (told(group) or "")


class HeedsLateAnswers(Core):
    """A node to which an answer is an answer, whatever its term."""

    def step(self, now_ms: int, source: str, message: Message) -> None:
        if isinstance(message, PreVoteAnswer | VoteAnswer | Appended):
            message = msgspec.structs.replace(message, term=self.term)
        super().step(now_ms, source, message)


def in_second_term(role: str) -> Group:
    """n1 has this role in a later term than its first."""
    group = led()
    group.run(20)
    core = group.nodes["n1"].core
    group.nodes["n2"].core.tick(group.now_ms)
    group.hand_over("n1", "n2")
    group.deliver()
    assert group.nodes["n2"].core.role == "leader"
    group.hand_over("n2", "n1")
    if role == "leader":
        group.deliver()
    else:
        while core.role != role:
            group.deliver_one(*next(iter(group.sent)))
    assert (core.role, core.term > 1) == (role, True)
    return group


@pytest.mark.parametrize("role", ["leader", "candidate"])
def test_answers_of_an_earlier_term_change_nothing(role: str) -> None:
    group = in_second_term(role)
    core = group.nodes["n1"].core
    before = core.state.log.last_index, core.role, core.state.commit
    assert told(group) is None
    core.__class__ = HeedsLateAnswers
    assert "would heed an answer of term" in (told(group) or "")
    assert (core.state.log.last_index, core.role, core.state.commit) == before


def test_a_pre_candidate_heeds_no_late_answer_either() -> None:
    group = in_second_term("leader")
    core = group.nodes["n1"].core
    group.partition(["n1"], ["n2", "n3"])
    while core.role != "pre-candidate":
        group.tick(20, "n1")
    assert told(group) is None
    core.__class__ = HeedsLateAnswers
    assert "would heed an answer of term" in (told(group) or "")


class TellsNoEarlierLeader(Core):
    """A node to which a leader of an earlier term is none of its business."""

    def _refuse(self, source: str, message: Message) -> None:
        if not isinstance(message, Append):
            super()._refuse(source, message)


@pytest.mark.parametrize("name", ["n1", "n2"])
def test_a_leader_of_an_earlier_term_is_told_of_the_later_one(name: str) -> None:
    group = in_second_term("leader")
    core = group.nodes[name].core
    before = core.role, core.term, core.leader, core.state.heard_ms, core.state.outbox[:]
    assert told(group, name) is None
    core.__class__ = TellsNoEarlierLeader
    assert f"{name}, {core.role} in term {core.term}, would not tell" in (told(group, name) or "")
    assert (core.role, core.term, core.leader, core.state.heard_ms, core.state.outbox) == before


def test_a_follower_without_a_leader_tells_who_asks_in_an_earlier_term() -> None:
    group = in_second_term("leader")
    group.partition(["n1"], ["n2"], ["n3"])
    group.run(100)
    assert told(group, "n3") is None


class ToldBefore(Leader):
    """A leader that has told somebody to campaign, and thinks that it need tell nobody else."""

    def hand_over(self, target: str) -> str | None:
        told_before = self.told_successor
        why = super().hand_over(target)
        self.told_successor = told_before
        return why


def test_whoever_is_to_lead_is_told_to_campaign_each_time() -> None:
    group = led()
    leading = group.nodes["n1"].core.leading
    assert leading is not None
    assert told(group) is None
    assert (leading.hands_over_until_ms, leading.told_successor) == (None, False)
    leading.__class__ = ToldBefore
    assert told(group) == "n1, which leads term 1, would not tell n2 to campaign when asked for the second time"
    group.partition(["n1"], ["n2"], ["n3"])
    group.nodes["n1"].core.propose(group.now_ms, "x")
    assert told(group) is None  # no node has everything
