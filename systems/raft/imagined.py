"""Imagined elections: what each node would do if it were asked for its vote at this moment.

For a wrong election, a node must lack something, others must vote for it, and nobody else may be elected meanwhile. A run
seldom has all of these together. But the rules that prevent it hold at any moment, and copies of the nodes can be asked, so a
run has thousands of elections:

- A node that had a committed entry on its disk votes for no candidate that lacks it. Every majority that could elect one has
  such a node, whatever happened to their disks meanwhile.
- A node that has heard a leader that reads by lease votes for nobody while that lease may hold, even if it has died since.
- A lease counts from a moment since which so many have heard the leader that the others could elect nobody. If it counts from
  later, the clocks' tolerance hides that for as long as answers are quick.
- No majority would elect a candidate that lacks a committed entry, nor any candidate while a lease holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from systems.raft.core.core import Core
from systems.raft.core.messages import Vote

_ANOTHER: Final = "another"
"""The name of a candidate that is no member."""


class Voter(NamedTuple):
    """A running node, as far as it matters to elections."""

    core: Core
    saved_term: int
    """The term on its disk."""
    now_ms: int


class Committed(NamedTuple):
    """Which entries are committed."""

    last: int
    """The last one whose term is known."""
    term: Callable[[int], int | None]
    """The term of the entry at an index; None if it is not known."""


class ImaginedElections:
    """Holds elections at each look. It remembers what each node has had and heard, which a node may forget."""

    def __init__(self) -> None:
        self._had: dict[str, int] = {}
        """By node, the last entry that was committed and on its disk."""
        self._heard_ms: dict[str, int] = {}
        """By node, when it last heard a leader, by its own clock."""

    def broken(self, voters: Mapping[str, Voter], committed: Committed) -> str | None:
        for name, voter in voters.items():
            why = self._forgetful(name, voter, committed) or self._faithless(name, voter)
            why = why or self._incomplete(name, voters, committed) or self._leased(name, voters)
            if why is not None:
                return why
        return None

    def _forgetful(self, name: str, voter: Voter, committed: Committed) -> str | None:
        core, log = voter.core, voter.core.state.log
        last = min(core.state.saved_index, committed.last)
        if last > self._had.get(name, 0) and _has(core, last, committed):
            self._had[name] = last
        had = self._had.get(name, 0)
        term = committed.term(had)
        if term is None:
            return None
        lacks_it = Vote(term=core.term + 1, last_index=had - 1, last_term=term, transfer=True)
        if not core.would_vote(voter.now_ms, _ANOTHER, lacks_it):
            return None
        return (
            f"{name}, whose log ends with index {log.last_index}, would vote for a node that lacks the committed entry of index"
            f" {had}, which was on its own disk"
        )

    def _faithless(self, name: str, voter: Voter) -> str | None:
        core, state = voter.core, voter.core.state
        lease_ms = state.timing.lease_ms
        if lease_ms is None:
            return None
        if state.heard_ms is not None and state.leader not in (None, name) and voter.saved_term == core.term:
            self._heard_ms[name] = state.heard_ms
        heard_ms = self._heard_ms.get(name)
        if heard_ms is None or voter.now_ms >= heard_ms + lease_ms:
            return None
        complete = Vote(term=core.term + 1, last_index=state.log.last_index + 1, last_term=core.term)
        if not core.would_vote(voter.now_ms, _ANOTHER, complete):
            return None
        since_ms = voter.now_ms - heard_ms
        return (
            f"{name} would vote for another node {since_ms} ms after it heard a leader that may read by lease for {lease_ms} ms"
        )

    def _incomplete(self, name: str, voters: Mapping[str, Voter], committed: Committed) -> str | None:
        core = voters[name].core
        if _has(core, committed.last, committed) or not _elected(name, voters, leader_silent=True):
            return None
        return (
            f"{name}, whose log ends with index {core.state.log.last_index}, would be elected, and lacks the committed entry of"
            f" index {committed.last}"
        )

    def _leased(self, name: str, voters: Mapping[str, Voter]) -> str | None:
        """Whether another node leads, or would be elected, while this one holds a lease."""
        core, leader = voters[name].core, voters[name].core.leading
        until_ms = None if leader is None else leader.lease_until_ms
        if until_ms is None or voters[name].now_ms >= until_ms:
            return None
        if (why := _lease_begins_too_late(name, until_ms, voters)) is not None:
            return why
        for other, voter in voters.items():
            state = voter.core.state
            if voter.core.leading is not None:
                if voter.core.term > core.term:
                    return f"{other} leads term {voter.core.term} while {name}, which leads term {core.term}, holds a lease"
            elif not state.leader_lives(voter.now_ms) and _elected(other, voters, leader_silent=False):
                return f"{other} would be elected while {name}, which leads term {core.term}, holds a lease"
        return None


def _lease_begins_too_late(name: str, until_ms: int, voters: Mapping[str, Voter]) -> str | None:
    """Whether those who have not heard a leader since its lease began could elect another one. A node that is down may have."""
    core = voters[name].core
    begins_ms = until_ms - (core.state.timing.lease_ms or 0)
    others = {other: voters[other].core.state for other in core.state.voters if other in voters and other != name}
    silent = [other for other, state in others.items() if state.heard_ms is None or state.heard_ms < begins_ms]
    if len(silent) <= len(core.state.voters) // 2:
        return None
    return (
        f"{name}, which leads term {core.term}, counts its lease from a moment since which {', '.join(silent)}, enough to elect"
        " another node, have not heard it"
    )


def _has(core: Core, index: int, committed: Committed) -> bool:
    """Whether a log has a committed entry, and with it all earlier ones."""
    log, term = core.state.log, committed.term(index)
    return index <= log.base_index or (term is not None and log.term(index) == term)


def _elected(name: str, voters: Mapping[str, Voter], *, leader_silent: bool) -> bool:
    """Whether the running nodes would elect a node now or, with `leader_silent`, once they have not heard a leader for long."""
    state = voters[name].core.state
    if not state.may_campaign:
        return False
    last_term, last_index = state.last
    term = max(voter.core.term for voter in voters.values()) + 1
    vote = Vote(term=term, last_index=last_index, last_term=last_term, transfer=leader_silent)
    others = {other: voters[other] for other in state.voters if other in voters and other != name}
    granted = {other for other, voter in others.items() if voter.core.would_vote(voter.now_ms, name, vote)} | {name}
    return bool(state.majority_of([int(other in granted) for other in state.voters]))
