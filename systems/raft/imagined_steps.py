"""Imagined steps of one node: a leader replaces the end of its log, a read arrives now, and answers come late.

All of that happens, but seldom where a mistake would show: an entry that changes the members is rarely the first one to be
replaced, a read rarely arrives while late answers could confirm it, and answers rarely take longer than a term. So copies are
tried at each look.
"""

from __future__ import annotations

from copy import copy
from typing import Final

from systems.raft.core.core import Core
from systems.raft.core.log import Log
from systems.raft.core.messages import Appended, Message, PreVoteAnswer, VoteAnswer

_READ: Final = 1 << 62
"""The number of a read that no client has sent."""


def broken(name: str, core: Core) -> str | None:
    """What is wrong with this node, or would be after such a step."""
    return _strange_members(name, core) or _late_read(name, core) or _late_answers(name, core)


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


def _known(core: Core) -> tuple[object, ...]:
    """What answers change."""
    leader = core.leading
    of_leader = () if leader is None else (dict(leader.matches), leader.reads.confirmed_ms, list(leader.reads.ready))
    return core.role, core.term, core.state.commit, *of_leader
