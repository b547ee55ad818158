"""Imagined steps of one node: a leader replaces the end of its log, and a read arrives now.

Both happen all the time, but seldom where a mistake would show: an entry that changes the members is rarely the first one to be
replaced, and a read rarely arrives while late answers could confirm it. So copies are tried at each look.
"""

from __future__ import annotations

from copy import copy
from typing import Final

from systems.raft.core.core import Core
from systems.raft.core.log import Log

_READ: Final = 1 << 62
"""The number of a read that no client has sent."""


def broken(name: str, core: Core) -> str | None:
    """What is wrong with this node, or would be after such a step."""
    return _strange_members(name, core) or _late_read(name, core)


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
