"""Imagined steps of one node: a leader replaces the end of its log, a read arrives now, answers come late, a node hears from a
leader of an earlier term, and a leader is to hand over, twice.

All of that happens, but seldom where a mistake would show: an entry that changes the members is rarely the first one to be
replaced, a read rarely arrives while late answers could confirm it, answers rarely take longer than a term, and few nodes get
ahead of a leader that goes on, or are asked to campaign in vain. So copies are tried at each look.
"""

from __future__ import annotations

from copy import copy
from typing import Final

from systems.raft.core.core import Core
from systems.raft.core.log import Log
from systems.raft.core.messages import Append, Appended, CampaignNow, Message, PreVote, PreVoteAnswer, Vote, VoteAnswer

_READ: Final = 1 << 62
"""The number of a read that no client has sent."""


def broken(name: str, core: Core) -> str | None:
    """What is wrong with this node, or would be after such a step."""
    why = _strange_members(name, core) or _late_read(name, core) or _late_answers(name, core)
    return why or _keeps_its_term_to_itself(name, core) or _hands_over_in_silence(name, core)


def _strange_members(name: str, core: Core) -> str | None:
    """A node counts majorities of the members after the last change in its log, wherever the log is truncated."""
    log = core.state.log
    if not _follows(log):
        return f"{name} counts by {log.members}, which its log does not say"
    changed = log.members_index
    if changed <= core.state.commit:
        return None
    for index in (changed, changed + 1):
        if index <= log.last_index:
            cut = copy(log)
            cut.truncate(index)
            if not _follows(cut):
                return f"{name} would count by {cut.members} even if index {index} and all after it were replaced"
    return None


def _follows(log: Log) -> bool:
    at = log.members_index
    return at <= log.base_index or (at <= log.last_index and log.entry(at).members == log.members)


def _late_read(name: str, core: Core) -> str | None:
    """No read is confirmed by answers to what was sent before it arrived: another node may have led by then."""
    if core.leading is None:
        return None
    reads = copy(core.leading.reads)
    reads.add(_READ, core.state.commit)
    reads.confirm(reads.last_round)
    if any(one.number == _READ for one in reads.ready):
        return f"{name} would answer a read that arrives now after answers to what it sent before"
    return None


def _late_answers(name: str, core: Core) -> str | None:
    """Answers of the term before change nothing, however much they grant or confirm."""
    imagined = core.imagined()
    if imagined is None or core.term < 2:
        return None
    state, term = core.state, core.term - 1
    leader = imagined.leading
    round_ = 0 if leader is None else leader.reads.last_round
    answers: tuple[Message, ...] = (
        PreVoteAnswer(term=term, granted=True),
        VoteAnswer(term=term, granted=True),
        Appended(term=term, accepted=True, match=state.log.last_index + 1, round=round_),
    )
    before = _known(imagined)
    for other in state.log.members.all:
        for answer in answers if other != name else ():
            imagined.step(state.now_ms, other, answer)
            if _known(imagined) != before:
                return f"{name}, {core.role} in term {core.term}, would heed an answer of term {term} from {other}: {answer}"
    return None


def _keeps_its_term_to_itself(name: str, core: Core) -> str | None:
    """Whoever asks something in an earlier term is told the later one: else a leader never hears of a node that is ahead of it,
    which then gets no entries, and no votes either while others hear that leader."""
    state, term = core.state, core.term - 1
    other = next((one for one in state.log.members.all if one != name), None)
    if other is None or term < 1:
        return None
    last_term, last_index = state.last
    append = Append(term=term, previous_index=last_index, previous_term=last_term, commit=state.commit, round=0)
    vote = Vote(term=term, last_index=last_index, last_term=last_term, transfer=True)
    # While it hears a leader, it need not answer who asks whether it would vote.
    asks = () if state.leader_lives(state.now_ms) else (PreVote(term=term, last_index=last_index, last_term=last_term),)
    for request in (append, vote) if core.leading is not None else (append, vote, *asks):
        told = [answer.term for answer in core.answers(state.now_ms, other, request)]
        if told != [core.term]:
            return f"{name}, {core.role} in term {core.term}, would not tell {other} of that, which sent it {request}"
    return None


def _hands_over_in_silence(name: str, core: Core) -> str | None:
    """A leader that is to hand over to a node that has its whole log tells it to campaign at once, each time it is asked."""
    if (leader := core.leading) is None:
        return None
    last, matches = core.state.log.last_index, leader.matches
    ready = next((other for other in core.state.voters if matches.get(other) == last), None)
    imagined = None if ready is None else core.imagined()
    if ready is None or imagined is None:
        return None
    for time in ("the first", "the second"):
        imagined.hand_over(core.state.now_ms, ready)
        told = [sent.target for sent in imagined.take().messages if isinstance(sent.message, CampaignNow)]
        if told != [ready]:
            return f"{name}, which leads term {core.term}, would not tell {ready} to campaign when asked for {time} time"
    return None


def _known(core: Core) -> tuple[object, ...]:
    """What answers change."""
    leader = core.leading
    of_leader = () if leader is None else (dict(leader.matches), leader.reads.confirmed_ms, list(leader.reads.ready))
    return core.role, core.term, core.state.commit, *of_leader
