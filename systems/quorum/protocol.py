"""The quorum protocol as a pure state machine, without I/O or time: atomic registers for many writers and readers (ABD).

Attiya, Bar-Noy, Dolev, "Sharing Memory Robustly in Message-Passing Systems", JACM 42(1), 1995, for one writer; Lynch,
Shvartsman, "Robust Emulation of Shared Memory Using Dynamic Quorum-Acknowledged Broadcasts", FTCS 1997, for many.

An operation has up to two phases. *Query*: ask all replicas what they hold of the key, and wait for a read quorum. *Store*:
give all replicas an entry, and wait until a write quorum has it on disk. A write stores its value under a version above all
that it was told of; a read stores the newest entry that it was told of before it answers, so that no later read sees an older
one. Any read quorum meets any write quorum, so a query after a finished store is told of it.

To run an operation, send `phase.request` to each of `phase.unanswered()`, now and perhaps again, hand every answer to
`answered`, and call `timed_out` when patience ends; then ask for the next phase, until there is an `outcome`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from systems.quorum.bugs import CORRECT, Rules
from systems.quorum.messages import Entry, Query, ReplicaRequest, Store, Version


@dataclass(frozen=True)
class Done:
    """The operation took effect; for a read, with this value."""

    value: str | None = None


@dataclass(frozen=True)
class Failed:
    """The operation surely has no effect, now or later."""

    why: str


@dataclass(frozen=True)
class Unknown:
    """The operation may have had its effect, or may have it yet."""

    why: str


Outcome = Done | Failed | Unknown


class Versions:
    """The versions that one start of one writer gives to its writes: above what it is told of, and never one twice.

    Two values under one version would both count as the newest, on different replicas, for ever. Writes that go on at once
    may be told the same counter; their numbers differ. Numbers begin again at each start, and a write that the last start
    sent to few replicas may be unknown to the quorum that this start asks, so that its counter comes up again; the starts,
    which are counted on the disk before the first version is given, keep these apart.
    """

    def __init__(self, writer: str, start: int, *, rules: Rules = CORRECT, clock_us: Callable[[], int] = int) -> None:
        """`clock_us` is asked by a known-bad variant only."""
        self._writer = writer
        self._start = start
        self._rules = rules
        self._clock_us = clock_us
        self._number = 0

    def above(self, counter: int) -> Version:
        """A new version above all those with this counter."""
        if self._rules.versions_unique:
            self._number += 1
        if not self._rules.versions_ignore_clocks:
            counter = self._clock_us()
        return Version(counter + 1, self._writer, self._start, self._number)


class Phase:
    """One request to all replicas, and who has answered it. A quorum counts replicas, not answers."""

    def __init__(self, request: ReplicaRequest, replicas: Sequence[str], need: int, rules: Rules) -> None:
        self.request = request
        self.newest = Entry()
        """The entry with the highest version among the answers."""
        self._replicas = replicas
        self._need = need
        self._rules = rules
        self._answers: list[tuple[str, Version]] = []

    def unanswered(self) -> list[str]:
        """The replicas that are to be asked, or asked again."""
        answered = {replica for replica, _ in self._answers} if self._rules.replicas_count_once else ()
        return [replica for replica in self._replicas if replica not in answered]

    def count(self, replica: str, entry: Entry) -> bool:
        """Take an answer; whether there is a quorum now."""
        if replica in self.unanswered():
            self._answers.append((replica, entry.version))
            self.newest = max(self.newest, entry, key=lambda held: held.version)
        return len(self._answers) >= self._need

    def holders_of_newest(self) -> int:
        """How many of those that answered hold exactly the newest version."""
        return sum(version == self.newest.version for _, version in self._answers)

    def __str__(self) -> str:
        answered = ", ".join(sorted({replica for replica, _ in self._answers})) or "none"
        asked = type(self.request).__name__.lower()
        return f"{asked}: {self._need} of {len(self._replicas)} replicas needed, answers of: {answered}"


class Operation(Protocol):
    """A read or a write under way."""

    phase: Phase
    outcome: Outcome | None

    def answered(self, phase: Phase, replica: str, entry: Entry) -> None:
        """A replica answered a phase's request; answers to earlier phases, and after the outcome, change nothing."""

    def timed_out(self, phase: Phase) -> None:
        """No quorum came in time; changes nothing if it has come meanwhile."""


@dataclass(frozen=True, kw_only=True)
class Coordinator:
    """Starts operations on all replicas. `read` and `write` are the sizes of quorums, together more than the replicas."""

    replicas: Sequence[str]
    read: int
    write: int
    versions: Versions
    rules: Rules = CORRECT

    def reading(self, key: str) -> Operation:
        return _Read(self, key)

    def writing(self, key: str, value: str) -> Operation:
        return _Write(self, key, value)

    def query(self, key: str, *, quorum: bool) -> Phase:
        return Phase(Query(key), self.replicas, self.read if quorum else 1, self.rules)

    def store(self, key: str, entry: Entry, *, quorum: bool) -> Phase:
        return Phase(Store(key, entry), self.replicas, self.write if quorum else 1, self.rules)


class _Read:
    def __init__(self, coordinator: Coordinator, key: str) -> None:
        self._coordinator = coordinator
        self._key = key
        self.phase = coordinator.query(key, quorum=coordinator.rules.reads_ask_quorum)
        self.outcome: Outcome | None = None

    def answered(self, phase: Phase, replica: str, entry: Entry) -> None:
        if phase is not self.phase or self.outcome is not None or not phase.count(replica, entry):
            return
        if isinstance(phase.request, Query) and self._must_write_back(phase):
            self.phase = self._coordinator.store(self._key, phase.newest, quorum=True)
        else:
            request = phase.request
            self.outcome = Done(request.entry.value if isinstance(request, Store) else phase.newest.value)

    def timed_out(self, phase: Phase) -> None:
        if phase is self.phase and self.outcome is None:
            self.outcome = Failed(str(phase))  # a value that was written back was written by someone: that is no effect

    def _must_write_back(self, query: Phase) -> bool:
        # Not if a write quorum answered with that very version. Replicas tell only what is on their disks and never go
        # back, so every later read quorum meets one that holds it or a newer one: all that storing it would bring about.
        rules = self._coordinator.rules
        held = query.holders_of_newest() >= self._coordinator.write
        return rules.reads_write_back and rules.reads_ask_quorum and not held


class _Write:
    def __init__(self, coordinator: Coordinator, key: str, value: str) -> None:
        self._coordinator = coordinator
        self._key = key
        self._value = value
        self.phase = coordinator.query(key, quorum=coordinator.rules.writes_ask_quorum)
        self.outcome: Outcome | None = None

    def answered(self, phase: Phase, replica: str, entry: Entry) -> None:
        if phase is not self.phase or self.outcome is not None or not phase.count(replica, entry):
            return
        coordinator = self._coordinator
        if isinstance(phase.request, Query):
            chosen = Entry(coordinator.versions.above(phase.newest.version.counter), self._value)
            self.phase = coordinator.store(self._key, chosen, quorum=coordinator.rules.writes_wait_for_quorum)
        else:
            self.outcome = Done()

    def timed_out(self, phase: Phase) -> None:
        if phase is not self.phase or self.outcome is not None:
            return
        # Until the store phase no replica was told of the value. After that, one replica that has it is enough: a later read
        # may find it there and write it back, however late.
        surely_not = isinstance(phase.request, Query) or not self._coordinator.rules.timeouts_are_unknown
        self.outcome = Failed(str(phase)) if surely_not else Unknown(str(phase))
