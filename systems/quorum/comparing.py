"""Compare-and-set beside plain reads and writes, as a pure state machine like those of `protocol`.

A register that is read and written through quorums cannot implement compare-and-set: that solves consensus for any number of
processes, while reads and writes do not solve it even for two processes of which one may fail (M. Herlihy, "Wait-Free
Synchronization", TOPLAS 13(1), 1991). Two coordinators that read the same value and then write can miss each other. So replicas
decide by single-decree Paxos (L. Lamport, "Paxos Made Simple", 2001) which entry is the one *successor* of a version. After
that it is an entry like any other.

A version's successor comes right after it, before every version that a write will choose, since that has a higher counter. So a
write need not know about a concurrent compare-and-set. If the write is not over when that begins, it is ordered later and
overwrites what is decided; if it is over, the compare-and-set's query sees it. All operations on a key are linearizable, in the
order of versions, and reads and writes are as fast as before. The idea is that of M. Burke, A. Cheng, W. Lloyd, "Gryff:
Unifying Consensus and Shared Registers", NSDI 2020, section 4 (carstamps), decided by Paxos as in D. Rystsov, "CASPaxos", 2018.

    query     find the newest entry. If its value is not the expected one, finish like a read.
    prepare   send it to all replicas; a majority promises a ballot for its successor, and reports what it has accepted.
    accept    propose what was accepted in the highest ballot, or one's own entry; a majority accepts it.
    store     like a write.

A coordinator that finds another one's proposal finishes it, and starts over. A replica that holds something newer than the
version takes no further part, and forgets what it accepted: since a decision needs a majority, it cannot be made without
replicas that still know.
"""

from __future__ import annotations

from copy import copy
from typing import Final, NamedTuple

import msgspec

from systems.parts.outcomes import Failed, Unknown
from systems.quorum.messages import Accept, Ballot, Entry, Prepare, Query, Store, Successor, Version
from systems.quorum.protocol import Coordinator, Done, Outcome, Phase, bare

MOST_ATTEMPTS: Final = 12
"""The most ballots and restarts of one compare-and-set."""
_OUTRUN: Final = f"outrun by others {MOST_ATTEMPTS} times"


def comparing(coordinator: Coordinator, key: str, expected: str | None, new: str | None) -> Comparing:
    """Set a key to the new value if it holds the expected one; None stands for no value."""
    return Comparing(coordinator, key, expected, new)


class Undone(NamedTuple):
    """A compare-and-set that has not taken effect."""

    key: str
    id: Ballot
    """Its first ballot."""


class _Ballots(Phase):
    """A phase that replicas may also refuse."""

    def __init__(self, request: Prepare | Accept, coordinator: Coordinator, pause: int = 0) -> None:
        replicas = coordinator.placement.homes(request.key)
        self.majority = len(replicas) // 2 + coordinator.rules.majority_is_more_than_half
        super().__init__(request, replicas, self.majority, coordinator.rules)
        self.pause = pause
        self.accepted: tuple[Ballot, Entry] | None = None
        """The proposal that was accepted in the highest ballot, among those that promises report."""
        self.promised: Ballot = request.ballot
        """The highest ballot that a refusal names."""
        self.newer: Entry | None = None
        """The newer entry of a replica that refused because of it; the oldest of several."""
        self._refused: set[str] = set()
        self._most_refused = len(replicas) - self.majority

    def imagined(self) -> _Ballots:
        other = copy(self)
        other._answers, other._refused = list(self._answers), set(self._refused)
        return other

    def refused(self, replica: str, entry: Entry, base: Version) -> bool:
        """Count a refusal; returns whether a majority has become impossible."""
        self._refused.add(replica)
        if entry.version > base:
            self.newer = min(self.newer or entry, entry, key=lambda each: each.version)
        elif entry.successor is not None:
            self.promised = max(self.promised, entry.successor.promised)
        return len(self._refused) > self._most_refused


class Comparing:
    """A compare-and-set in progress: an `Operation`."""

    def __init__(self, coordinator: Coordinator, key: str, expected: str | None, new: str | None) -> None:
        self._coordinator = coordinator
        self._key = key
        self._expected = expected
        self._new = new
        self._id = self._ballot(0)
        """Its first ballot, which identifies it in its proposal, and in the entry if that is decided."""
        self._proposed = False
        """Whether its own proposal may have been decided, or may still be."""
        self._helping = False
        """Whether it stores another coordinator's proposal."""
        self._base = Entry()
        self._attempts = 0
        self.phase = coordinator.query(key, coordinator.read)
        self.outcome: Outcome | None = None

    def answered(self, phase: Phase, replica: str, entry: Entry) -> None:
        if phase is not self.phase or self.outcome is not None:
            return
        match phase.request:
            case Query():
                if phase.count(replica, entry):
                    self._queried(phase)
            case Store(_, stored):
                if phase.count(replica, entry):
                    self._stored(stored)
            case Prepare() | Accept() as request if isinstance(phase, _Ballots):
                self._balloted(phase, request, replica, entry)

    @property
    def undone(self) -> Undone | None:
        """Itself if its outcome says that it has not taken effect and never will."""
        outcome = self.outcome
        is_undone = isinstance(outcome, Failed) or (isinstance(outcome, Done) and not outcome.swapped)
        return Undone(self._key, self._id) if is_undone else None

    @property
    def in_doubt(self) -> Version | None:
        """The version whose successor its own proposal may have become; None if it has none, or has heard what became of it."""
        phase = self.phase
        return self._base.version if self._proposed and isinstance(phase, _Ballots) and phase.newer is None else None

    def imagined(self) -> Comparing:
        """A copy, to give answers to: nothing happens to this one."""
        other = copy(self)
        if isinstance(self.phase, _Ballots):
            other.phase = self.phase.imagined()
        return other

    def timed_out(self, phase: Phase) -> None:
        if phase is self.phase and self.outcome is None:
            self._give_up(str(phase))

    def _give_up(self, why: str) -> None:
        in_doubt = self._proposed and self._coordinator.rules.proposals_leave_doubt
        self.outcome = Unknown(why) if in_doubt else Failed(why)

    def _queried(self, query: Phase) -> None:
        newest, coordinator = bare(query.newest), self._coordinator
        if newest.value == self._expected:
            self._base = newest
            if coordinator.rules.successors_agreed:
                self._prepare(newest, 0)
            else:
                self._decided(self._own())
        elif query.holders_of_newest() >= coordinator.write:
            self.outcome = Done(newest.value, swapped=False)
        else:
            self.phase = coordinator.store(self._key, newest, coordinator.write)

    def _stored(self, stored: Entry) -> None:
        if stored.decided_for == self._id:
            self.outcome = Done(swapped=True)
        elif self._helping:
            self._begin_again()
        else:
            self.outcome = Done(stored.value, swapped=False)

    def _prepare(self, base: Entry, after_round: int) -> None:
        self._base = base
        self._attempts += 1
        if self._attempts > MOST_ATTEMPTS:
            self._give_up(_OUTRUN)
        else:
            prepare = Prepare(self._key, base, self._ballot(after_round + 1))
            self.phase = _Ballots(prepare, self._coordinator, self._attempts - 1)

    def _balloted(self, phase: _Ballots, request: Prepare | Accept, replica: str, entry: Entry) -> None:
        base, successor = self._base.version, entry.successor
        if entry.version < base or (entry.version == base and successor is None):
            return  # the replica did not carry out the request
        if entry.version == base and successor is not None and isinstance(request, Prepare):
            if successor.promised == request.ballot:
                self._promised(phase, request.ballot, replica, entry, successor)
                return
        elif entry.version == base and successor is not None and successor.accepted == request.ballot:
            if phase.count(replica, entry) and isinstance(request, Accept):
                self._decided(request.proposal)
            return
        if phase.refused(replica, entry, base):
            self._refused(phase)

    def _promised(self, phase: _Ballots, ballot: Ballot, replica: str, entry: Entry, successor: Successor) -> None:
        if successor.accepted is not None and successor.proposal is not None and self._coordinator.rules.proposals_adopted:
            found = (successor.accepted, successor.proposal)
            phase.accepted = max(phase.accepted or found, found, key=lambda each: each[0])
        if phase.count(replica, entry):
            proposal = phase.accepted[1] if phase.accepted else self._own()
            self._proposed = self._proposed or proposal.decided_for == self._id
            self.phase = _Ballots(Accept(self._key, self._base, ballot, proposal), self._coordinator)

    def _refused(self, phase: _Ballots) -> None:
        """There is no majority: a higher ballot was promised, or there is a newer entry, the successor or a later write."""
        if phase.newer is None:
            self._prepare(self._base, phase.promised.round)
        elif not self._proposed:
            self._begin_again()
        elif _follows(self._base.version, phase.newer.version):
            self._decided(bare(phase.newer))
        else:
            self._give_up("its version was overwritten before it was known what was decided")

    def _decided(self, proposal: Entry) -> None:
        self.phase = self._coordinator.store(self._key, proposal, self._coordinator.write)
        self._helping = proposal.decided_for != self._id
        if self._helping:
            self._proposed = False  # another proposal was decided, so its own never is

    def _begin_again(self) -> None:
        self._helping = False
        self._attempts += 1
        if self._attempts > MOST_ATTEMPTS:
            self._give_up(_OUTRUN)
        else:
            self.phase = self._coordinator.query(self._key, self._coordinator.read)

    def _ballot(self, number: int) -> Ballot:
        versions = self._coordinator.versions
        return Ballot(number, versions.writer, versions.start, versions.next_number())

    def _own(self) -> Entry:
        version = self._base.version
        if version == Version():  # nothing else tells its successors from those of an earlier life of the key
            version = Version(0, self._id.proposer, self._id.start, self._id.number)
        return Entry(msgspec.structs.replace(version, step=version.step + 1), self._new, self._id)


def _follows(version: Version, newer: Version) -> bool:
    """Whether the newer version is the direct successor of the other."""
    if version == Version():
        return newer.counter == 0 and newer.step == 1
    return newer == msgspec.structs.replace(version, step=version.step + 1)
