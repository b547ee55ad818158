"""What a leader may do, and for how long: it changes members one change at a time, sends to them and to nobody else, does not
hand over for ever, and holds no lease once it has told another node to campaign.

Two changes at once harm only a group in which two leaders make them, and only if neither hears of the other (D. Ongaro, "bug in
single-server membership changes", raft-dev, 2015). And a leader that no longer accepts commands is not missed for long where
clients and faults are few. What it told another node may arrive long after it has taken leadership back: then that node is
elected while others hear the leader, and a lease would let it give stale answers, for some milliseconds.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from systems.raft.core.core import Core
from systems.raft.core.leader import Leader

_OVERDUE_MS: Final = 100
_LOOKS: Final = 10
"""A leader whose time is up notices that within a tick. One that was stopped may be looked at before it does; so it has to have
taken part, at so many looks, for so long."""


class _Overdue(NamedTuple):
    leader: Leader
    until_ms: int
    since_ms: int
    now_ms: int
    looks: int


class LeadsByTheRules:
    """A leader's changes of members, its leases, and how long it hands over.

    It remembers whose time was up at the last look, and which leaders have told another node to campaign.
    """

    def __init__(self) -> None:
        self._overdue: dict[str, _Overdue] = {}
        self._gave_leave: dict[str, Leader] = {}

    def broken(self, name: str, core: Core) -> str | None:
        leader = core.leading
        if leader is None:
            self._overdue.pop(name, None)
            self._gave_leave.pop(name, None)
            return None
        why = self._changes(name, core) or self._hands_over(name, core, leader) or self._leases(name, core, leader)
        return why or self._others(name, core, leader)

    @staticmethod
    def _others(name: str, core: Core, leader: Leader) -> str | None:
        """It sends to the other members, and forgets who has left: what it knew of that node says nothing once that is back."""
        sends, members = sorted(leader.matches), sorted({*core.members.all} - {name})
        if sends == members:
            return None
        return f"{name}, which leads term {core.term} with the members {core.members}, sends to {', '.join(sends) or 'none'}"

    @staticmethod
    def _changes(name: str, core: Core) -> str | None:
        """It has begun a change only when the one before it was committed, and an entry of its own term (thesis 4.1)."""
        log, commit = core.state.log, core.state.commit
        changes = [entry for entry in log.slice(commit + 1, log.last_index) if entry.members is not None]
        if not any(entry.term == core.term for entry in changes):
            return None
        if len(changes) > 1:
            indices = ", ".join(str(entry.index) for entry in changes)
            return f"{name}, which leads term {core.term}, changes members at {indices}, and none of that is committed yet"
        if log.term(commit) != core.term:
            return f"{name} changes members at {changes[0].index}, and has not committed any entry of term {core.term}, its own"
        return None

    def _leases(self, name: str, core: Core, leader: Leader) -> str | None:
        """From when it has told another node to campaign, it holds no lease in its term."""
        if leader.told_successor:
            self._gave_leave[name] = leader
        if self._gave_leave.get(name) is not leader or not leader.holds_lease:
            return None
        return f"{name}, which leads term {core.term}, holds a lease, and has told another node to campaign"

    def _hands_over(self, name: str, core: Core, leader: Leader) -> str | None:
        until_ms, now_ms = leader.hands_over_until_ms, core.state.now_ms
        if until_ms is None or now_ms < until_ms:
            self._overdue.pop(name, None)
            return None
        before = self._overdue.get(name)
        if before is None or before.leader is not leader or before.until_ms != until_ms:
            before = _Overdue(leader, until_ms, now_ms, now_ms, 0)
        now = self._overdue[name] = before._replace(now_ms=now_ms, looks=before.looks + (now_ms > before.now_ms))
        if now.looks < _LOOKS or now_ms - now.since_ms < _OVERDUE_MS:
            return None
        return f"{name} still hands over leadership {now_ms - until_ms} ms after it should have taken it back"
