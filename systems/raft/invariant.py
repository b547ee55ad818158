"""The invariants of a Raft group: the safety properties of figure 3 of the paper, which hold over all nodes at any moment."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, cast

from systems.parts.session_rules import SessionsStay
from systems.raft import imagined_steps
from systems.raft.core.core import Core
from systems.raft.core.messages import Entry, Members, Vows
from systems.raft.core.recovery import FORGOTTEN
from systems.raft.imagined import Committed, ImaginedElections, Voter
from systems.raft.leading_rules import LeadsByTheRules
from systems.raft.machine import StateMachine
from systems.raft.transfers import Transfers

_SHOWN: Final = 30
"""How many characters are shown on either side of the place where two state machines differ."""


class Shown(NamedTuple):
    """What a running node exposes to the invariant."""

    core: Core
    vows: Vows
    """The vows on its disk: it may die before newer ones are saved, and has told no other node about those."""
    applied: int
    """The last entry that its state machine has applied."""
    digest: int
    """The digest of all entries that it has applied, in order."""
    machine: StateMachine[object]
    now_ms: int
    """The time by its clock, also if it has been stopped for a while."""


def fingerprint(entry: Entry, before: int = 0) -> int:
    """A fingerprint of an entry's content; with `before`, of all earlier entries as well."""
    return zlib.crc32(f"{entry.term} {entry.members} {entry.data}".encode(), before)


def _difference(one: str, other: str) -> str:
    """Where two texts begin to differ."""
    at = next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return f"…{one[max(0, at - _SHOWN) : at + _SHOWN]}… and …{other[max(0, at - _SHOWN) : at + _SHOWN]}…"


class _Held(NamedTuple):
    node: str
    text: int
    before: int | None
    """The term of the previous entry; None if that is in a snapshot."""


@dataclass(frozen=True)
class _Committed:
    node: str
    entry_term: int
    term: int
    members: Members
    """The group's members as of this entry."""


class RaftSafety:
    """Checks the invariants. It remembers everything it has seen, since contradictory evidence may disappear from the nodes.

    They are election safety, log matching, leader completeness and state machine safety. The rules behind them are checked as
    well: no node goes back to an earlier term or votes twice in one; what a leader counts as stored is on the other nodes'
    disks; nodes agree about the members as of each committed entry, and so do their snapshots; no node leads a group that it
    has left; leaders keep the rules of `leading_rules`; transfers of snapshots make progress (`transfers`). Elections and
    single steps are also imagined (`imagined`, `imagined_steps`).
    """

    def __init__(self) -> None:
        self._leaders: dict[int, str] = {}
        self._vows: dict[str, tuple[int, str | None]] = {}
        self._entries: dict[tuple[int, int], _Held] = {}
        self._looked: dict[str, tuple[int, int]] = {}
        self._committed: dict[int, _Committed] = {}
        self._known: dict[str, int] = {}
        self._applied: dict[int, tuple[str, int]] = {}
        self._last_committed = 0
        self._elections = ImaginedElections()
        self._transfers = Transfers()
        self._leading = LeadsByTheRules()
        self._sessions = SessionsStay()

    def broken(self, states: Mapping[str, object]) -> str | None:
        for name, state in states.items():
            if state is None:
                continue
            shown = cast(Shown, state)
            why = self._vow(name, shown.vows) or self._matching(name, shown.core) or self._commit(name, shown.core)
            why = why or self._begins(name, shown.core) or self._election(name, shown.core) or self._machine(name, shown)
            why = why or self._counted(name, shown.core, states) or imagined_steps.broken(name, shown.core)
            why = why or self._transfers.broken(name, shown.core) or self._leading.broken(name, shown.core)
            why = why or self._sessions.broken(name, shown.applied, shown.machine)
            if why is not None:
                return why
        return self._elections.broken(_voters(states), Committed(self._last_committed, self._committed_term))

    def apart(self, states: Mapping[str, object]) -> str | None:
        """What members do not agree about: one node must lead, and every member must have its log and have applied all of it.

        Their state machines must be equal then, too: one may have put less into a snapshot than it needs, or restored less than
        the snapshot holds.
        """
        running = {name: cast(Shown, state) for name, state in states.items() if state is not None}
        leaders = [name for name, shown in running.items() if shown.core.leading is not None]
        if not leaders:
            return "no node leads"
        first = max(leaders, key=lambda name: running[name].core.term)
        log = running[first].core.state.log
        for name in log.members.all:
            if name not in running:
                return f"{name}, a member, has not read what is on its disk"
            shown = running[name]
            held = shown.core.state.log
            if (held.last_index, held.last_term) != (log.last_index, log.last_term):
                return f"{name} has the log up to {held.last_index}, {first}, which leads, up to {log.last_index}"
            if shown.applied != log.last_index:
                return f"{name} has applied its log up to {shown.applied} of {log.last_index}"
        machines = {name: running[name].machine.snapshot() for name in (first, *log.members.all)}
        for name, machine in machines.items():
            if machine != machines[first]:
                where = _difference(machines[first], machine)
                return f"the state machines of {first} and {name} differ after the same entries: {where}"
        return None

    def _vow(self, name: str, vows: Vows) -> str | None:
        term, vote = vows.term, vows.vote
        before, voted = self._vows.get(name, (0, None))
        self._vows[name] = (term, vote)
        if vote == FORGOTTEN:
            return None  # its disk was damaged: it keeps no earlier promise, and gives no vote in this term
        if term < before:
            return f"{name} went back from term {before} to term {term}"
        if term == before and voted is not None and vote not in (voted, None):
            return f"{name} voted for {voted} and for {vote} in term {term}"
        if term == before and voted is not None and vote is None:
            return f"{name} forgot that it had voted for {voted} in term {term}"
        return None

    def _election(self, name: str, core: Core) -> str | None:
        if core.leading is None:
            return None
        log = core.state.log
        if name not in log.members.all and log.members_index <= core.state.commit:
            return f"{name} leads term {core.term} although it has left the group: {log.members}"
        first = self._leaders.get(core.term)
        if first is None:
            self._leaders[core.term] = name
            return self._completeness(name, core)
        return None if first == name else f"two leaders in term {core.term}: {first} and {name}"

    def _completeness(self, name: str, core: Core) -> str | None:
        log = core.state.log
        for index, committed in self._committed.items():
            if committed.term >= core.term or index < log.base_index:
                continue
            held = log.term(index)
            if held != committed.entry_term:
                return (
                    f"{name} leads term {core.term} with {'nothing' if held is None else f'an entry of term {held}'} at index"
                    f" {index}, where {committed.node} had an entry of term {committed.entry_term} committed"
                )
        return None

    def _matching(self, name: str, core: Core) -> str | None:
        """Log matching for entries added since the last look: index and term determine an entry's content and predecessor."""
        log = core.state.log
        looked_index, looked_term = self._looked.get(name, (0, 0))
        index = log.last_index
        while index > log.base_index and not (index <= looked_index and log.term(looked_index) == looked_term):
            entry, before = log.entry(index), log.term(index - 1)
            text = fingerprint(entry)
            held = self._entries.setdefault((index, entry.term), _Held(name, text, before))
            if held.text != text:
                return f"two entries of index {index}, term {entry.term}: on {held.node}, and on {name}"
            committed = self._committed.get(index)
            if committed is not None and index <= self._known.get(name, 0) and committed.entry_term != entry.term:
                return f"{name} has replaced the entry of index {index}, which it knew to be committed"
            if None not in (held.before, before) and held.before != before:
                return f"the entries before index {index}, term {entry.term} differ: on {held.node}, and on {name}"
            index -= 1
        self._looked[name] = log.last_index, log.last_term
        return None

    def _commit(self, name: str, core: Core) -> str | None:
        log, known = core.state.log, self._known.get(name, 0)
        for index in range(max(known, log.base_index) + 1, min(core.state.commit, log.last_index) + 1):
            term = log.term(index) or 0
            members = log.members_at(index)
            first = self._committed.setdefault(index, _Committed(name, term, core.term, members))
            if first.entry_term != term:
                return f"two entries committed at index {index}: of term {first.entry_term} by {first.node}, {term} by {name}"
            if first.members != members:
                return f"as of index {index}, the members are {first.members} to {first.node}, and {members} to {name}"
            if core.term < first.term:
                self._committed[index] = _Committed(name, term, core.term, members)
            self._last_committed = max(self._last_committed, index)
        # What it could not save, because its disk took nothing, it may forget, and with it that this was committed.
        self._known[name] = min(core.state.commit, core.state.saved_index)
        return None

    def _begins(self, name: str, core: Core) -> str | None:
        """A log begins after an entry that is committed, and what a snapshot or the base of a log says of that entry is so.

        The entry itself is gone, and the members may have changed after it: a change that is not committed may be replaced.
        """
        snapshot, log = core.state.snapshot, core.state.log
        begins, commit = log.base_index, core.state.commit
        if begins > commit:
            return f"{name}'s log begins after index {begins}, and it knows of committed entries up to {commit} only"
        said = [("log", log.base_index, log.base_term, log.members_at(log.base_index))]
        if snapshot is not None:
            said.append(("snapshot", snapshot.index, snapshot.term, snapshot.members))
        for what, index, term, members in said:
            committed = self._committed.get(index)
            if committed is not None and (term, members) != (committed.entry_term, committed.members):
                return (
                    f"{name}'s {what} begins after index {index}, of term {term} with {members}: to {committed.node} that is of"
                    f" term {committed.entry_term} with {committed.members}"
                )
        return None

    def _counted(self, name: str, core: Core, states: Mapping[str, object]) -> str | None:
        """What a leader counts as stored by another node is on its disk. A node that has lost its disk has yet to say so."""
        if core.leading is None:
            return None
        for other, match in core.leading.matches.items():
            state = states.get(other)
            if state is None or match == 0:
                continue
            held = cast(Shown, state).core.state
            if held.term != core.term or not held.complete:
                continue
            if held.saved_index < held.log.base_index:
                continue  # a snapshot is on its way to its disk, which until then has what it had before
            ours, theirs = core.state.log.term(match), held.log.term(match)
            if match > min(held.saved_index, held.log.last_index) or (None not in (ours, theirs) and ours != theirs):
                return f"{name}, which leads term {core.term}, counts on {other} to have index {match}, and it has not"
        return None

    def _committed_term(self, index: int) -> int | None:
        committed = self._committed.get(index)
        return None if committed is None else committed.entry_term

    def _machine(self, name: str, shown: Shown) -> str | None:
        first, digest = self._applied.setdefault(shown.applied, (name, shown.digest))
        if digest != shown.digest:
            return f"{first} and {name} have applied different entries up to index {shown.applied}"
        return None


def _voters(states: Mapping[str, object]) -> dict[str, Voter]:
    running = {name: cast(Shown, state) for name, state in states.items() if state is not None}
    return {name: Voter(shown.core, shown.vows.term, shown.now_ms) for name, shown in running.items()}
