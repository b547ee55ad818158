"""The quorum protocol as a pure state machine, without I/O or time: atomic registers for many writers and readers (ABD).

Attiya, Bar-Noy, Dolev, "Sharing Memory Robustly in Message-Passing Systems", JACM 42(1), 1995, for one writer; Lynch,
Shvartsman, "Robust Emulation of Shared Memory Using Dynamic Quorum-Acknowledged Broadcasts", FTCS 1997, for many.

An operation has up to two phases. *Query*: ask the key's replicas what they hold, and wait for a read quorum. *Store*: send
them an entry, and wait until a write quorum has it on disk. A write stores its value under a version above all those reported;
a delete does the same with a tombstone; a read stores the newest reported entry before it answers, so that no later read sees
an older one. Any read quorum overlaps any write quorum, so a query after a completed store sees it.

If quorums need not overlap (read + write <= replicas), a read answers with the newest reported entry and stores nothing: such a
system promises no more. If it is *sloppy*, nodes that stand in for those that do not answer count as well.

To run an operation, send `phase.request` to each of `phase.first()` and later to all of `phase.unanswered()`, pass every answer
to `answered`, and call `timed_out` when the phase times out; continue with the next `phase` until there is an `outcome`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from systems.parts.outcomes import Failed, Unknown
from systems.quorum.bugs import CORRECT, Rules
from systems.quorum.messages import Entry, Keep, Query, ReplicaRequest, Store, Version


@dataclass(frozen=True)
class Done:
    """The operation took effect; for a read, with this value."""

    value: str | None = None
    swapped: bool = True
    """For a compare-and-set: whether it found the expected value. If not, `value` is what it found."""


Outcome = Done | Failed | Unknown


class Versions:
    """Gives the writes of one start of one writer their versions: above all reported ones, and never the same one twice.

    Two values under one version would both count as the newest, on different replicas, forever. Concurrent writes may be told
    the same counter, but their numbers differ. Numbers begin again at each start, and the quorum that this start asks may not
    know a write that the previous start sent to few replicas, so that its counter may be used again; the number of the start,
    which is on the disk before the first version is given, distinguishes the two.
    """

    def __init__(self, writer: str, start: int, *, rules: Rules = CORRECT, clock_us: Callable[[], int] = int) -> None:
        """`clock_us` is used only by a known bug."""
        self.writer = writer
        self.start = start
        self._rules = rules
        self._clock_us = clock_us
        self._number = 0

    def above(self, counter: int) -> Version:
        """A new version above all versions with this counter."""
        number = self.next_number()
        if not self._rules.versions_ignore_clocks:
            counter = self._clock_us()
        return Version(counter + 1, self.writer, self.start, number)

    def next_number(self) -> int:
        """A number that this start has not used before."""
        self._number += self._rules.versions_unique
        return self._number


class Phase:
    """One request to a key's replicas, and the answers to it. A quorum counts replicas, not answers."""

    pause = 0
    """How often the operation was outrun by others: the more often, the longer it waits before it asks again."""

    def __init__(
        self,
        request: ReplicaRequest,
        replicas: Sequence[str],
        need: int,
        rules: Rules,
        stand_ins: Sequence[str] = (),
    ) -> None:
        self.request = request
        self.newest = Entry()
        """The entry with the highest version among the answers."""
        self.floor = 0
        """The highest counter in any answer, including those of dropped keys."""
        self._replicas = replicas
        self._stand_ins = stand_ins
        self._need = need
        self._rules = rules
        self._answers: list[tuple[str, Version]] = []

    def first(self) -> Sequence[str]:
        """The replicas to ask first if reads are hedged: as many as are needed."""
        return self._replicas[: self._need]

    def unanswered(self) -> list[str]:
        """The replicas to ask, or to ask again."""
        if not self._answers or not self._rules.replicas_count_once:
            return list(self._replicas)
        answered = {replica for replica, _ in self._answers}
        return [replica for replica in self._replicas if replica not in answered]

    def stood_in(self) -> list[tuple[str, ReplicaRequest]]:
        """The stand-ins for replicas that have not answered, each with its request."""
        asked: list[tuple[str, ReplicaRequest]] = []
        for home, other in zip(self.unanswered(), self._stand_ins, strict=False):
            request = self.request
            if isinstance(request, Store):
                request = Keep(request.key, request.entry, home)
            elif isinstance(request, Query):
                request = Query(request.key, kept=True)
            asked.append((other, request))
        return asked

    def count(self, replica: str, entry: Entry) -> bool:
        """Count an answer; returns whether there is a quorum now."""
        if not self._rules.replicas_count_once or all(replica != other for other, _ in self._answers):
            self._answers.append((replica, entry.version))
            if entry.version > self.newest.version:
                self.newest = entry
            dropped = entry.floor if self._rules.dropped_counters_kept else 0
            self.floor = max(self.floor, dropped, entry.version.counter)
        return len(self._answers) >= self._need

    def holders_of_newest(self) -> int:
        """How many of the replicas that answered hold exactly the newest version."""
        return sum(version == self.newest.version for _, version in self._answers)

    def __str__(self) -> str:
        answered = ", ".join(sorted({replica for replica, _ in self._answers})) or "none"
        asked = type(self.request).__name__.lower()
        return f"{asked}: {self._need} of {len(self._replicas)} replicas needed, answers of: {answered}"


class Operation(Protocol):
    """A read, a write or a compare-and-set in progress."""

    phase: Phase
    outcome: Outcome | None

    def answered(self, phase: Phase, replica: str, entry: Entry) -> None:
        """A replica answered a phase's request. Answers to earlier phases, or after the outcome, are ignored."""

    def timed_out(self, phase: Phase) -> None:
        """The phase timed out. Ignored if it has got its quorum meanwhile."""


class Homes(Protocol):
    """Tells which nodes hold a key, and which stand in for them."""

    def homes(self, key: str) -> Sequence[str]: ...

    def stand_ins(self, key: str) -> Sequence[str]: ...


@dataclass(frozen=True, kw_only=True)
class Coordinator:
    """Starts operations on a key's replicas."""

    placement: Homes
    read: int
    """The size of a read quorum, unless a request names its own."""
    write: int
    versions: Versions
    sloppy: bool = False
    rules: Rules = CORRECT

    def reading(self, key: str, read: int | None = None, write: int | None = None) -> Operation:
        return _Read(self, key, read or self.read, write or self.write)

    def writing(self, key: str, value: str | None, read: int | None = None, write: int | None = None) -> Operation:
        """Write a value; None deletes."""
        return _Write(self, key, value, read or self.read, write or self.write)

    def query(self, key: str, need: int) -> Phase:
        return Phase(Query(key), self.placement.homes(key), self._quorum(need), self.rules, self._stand_ins(key))

    def store(self, key: str, entry: Entry, need: int) -> Phase:
        return Phase(Store(key, entry), self.placement.homes(key), self._quorum(need), self.rules, self._stand_ins(key))

    def meet(self, key: str, read: int, write: int) -> bool:
        """Whether quorums of these sizes have a replica in common."""
        return read + write > len(self.placement.homes(key))

    def _quorum(self, need: int) -> int:
        return need if self.rules.quorums_meet else need // 2 or 1

    def _stand_ins(self, key: str) -> Sequence[str]:
        return self.placement.stand_ins(key) if self.sloppy else ()


def bare(entry: Entry) -> Entry:
    """An entry without what concerns only one replica, to send to others."""
    if entry.successor is None and not entry.floor:
        return entry
    return Entry(entry.version, entry.value, entry.decided_for)


class _Read:
    def __init__(self, coordinator: Coordinator, key: str, read: int, write: int) -> None:
        self._coordinator = coordinator
        self._key = key
        self._write = write
        self._stores = coordinator.meet(key, read, write)
        self.phase = coordinator.query(key, read if coordinator.rules.reads_ask_quorum else 1)
        self.outcome: Outcome | None = None

    def answered(self, phase: Phase, replica: str, entry: Entry) -> None:
        if phase is not self.phase or self.outcome is not None or not phase.count(replica, entry):
            return
        if isinstance(phase.request, Query) and self._must_write_back(phase):
            self.phase = self._coordinator.store(self._key, bare(phase.newest), self._write)
        else:
            request = phase.request
            self.outcome = Done(request.entry.value if isinstance(request, Store) else phase.newest.value)

    def timed_out(self, phase: Phase) -> None:
        if phase is self.phase and self.outcome is None:
            self.outcome = Failed(str(phase))  # writing back a value that was already written has no effect

    def _must_write_back(self, query: Phase) -> bool:
        # Not if a write quorum answered with that very version. Replicas report only what is on their disks and never go
        # back, so every later read quorum overlaps one that holds it or a newer one: all that storing it would achieve.
        rules = self._coordinator.rules
        held = query.holders_of_newest() >= self._write
        return self._stores and rules.reads_write_back and rules.reads_ask_quorum and not held


class _Write:
    def __init__(self, coordinator: Coordinator, key: str, value: str | None, read: int, write: int) -> None:
        self._coordinator = coordinator
        self._key = key
        self._value = value
        self._write = write
        self.phase = coordinator.query(key, read if coordinator.rules.writes_ask_quorum else 1)
        self.outcome: Outcome | None = None

    def answered(self, phase: Phase, replica: str, entry: Entry) -> None:
        if phase is not self.phase or self.outcome is not None or not phase.count(replica, entry):
            return
        coordinator = self._coordinator
        if isinstance(phase.request, Query):
            chosen = Entry(coordinator.versions.above(phase.floor), self._value)
            need = self._write if coordinator.rules.writes_wait_for_quorum else 1
            self.phase = coordinator.store(self._key, chosen, need)
        else:
            self.outcome = Done()

    def timed_out(self, phase: Phase) -> None:
        if phase is not self.phase or self.outcome is not None:
            return
        # Before the store phase, no replica knows the value. After that, one replica that has it is enough: a later read may
        # find it there and write it back, at any time.
        surely_not = isinstance(phase.request, Query) or not self._coordinator.rules.timeouts_are_unknown
        self.outcome = Failed(str(phase)) if surely_not else Unknown(str(phase))
