"""Reads and writes of a key as a pure state machine, without I/O or time: a register on the majorities of its partition.

As in `systems.quorum`: query a majority for the newest version, then store on a majority (ABD; Attiya, Bar-Noy, Dolev, "Sharing
Memory Robustly in Message-Passing Systems", JACM 42(1), 1995; Lynch, Shvartsman, FTCS 1997). While a partition moves there are
two groups of nodes, and each phase needs a majority of both. If the partition gets another epoch in the middle of an operation,
the phase starts again among the nodes of that epoch; a write keeps its chosen version, or it would become two writes.

To run an operation until it has an `outcome`: send `phase.request` to each of `phase.unanswered()`, perhaps repeatedly, pass
every answer to `answered` and every newer epoch to `moved`, and call `gave_up` after a timeout.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from systems.partitioned.bugs import CORRECT, Rules
from systems.partitioned.messages import Entry, Query, Store, Version
from systems.partitioned.partition_map import Partition, majority
from systems.parts.outcomes import Failed, Unknown


@dataclass(frozen=True)
class Done:
    """The operation took effect; a read found this value."""

    value: str | None = None


Outcome = Done | Failed | Unknown


def groups_of(partition: Partition, rules: Rules = CORRECT) -> tuple[tuple[str, ...], ...]:
    """The groups of nodes; an operation needs a majority of each."""
    both = partition.target and rules.both_groups_take_part
    return (partition.owners, partition.target) if both else (partition.owners,)


class Versions:
    """The versions that one start of one node gives to its writes: above the counters it is given, and each only once."""

    def __init__(self, writer: str, start: int) -> None:
        self._writer = writer
        self._start = start
        self.given = 0
        """How many there are."""

    def above(self, counter: int) -> Version:
        self.given += 1
        return Version(counter + 1, self._writer, self._start, self.given)


class Phase:
    """One request to all nodes of some groups, and the nodes that have answered it."""

    def __init__(self, request: Query | Store, groups: Sequence[Sequence[str]]) -> None:
        self.request = request
        self.newest = Entry()
        """The entry with the highest version among the answers."""
        self._groups = groups
        self._versions: dict[str, Version] = {}

    def unanswered(self) -> list[str]:
        """The nodes to ask, or to ask again."""
        return [name for name in dict.fromkeys(name for group in self._groups for name in group) if name not in self._versions]

    def count(self, name: str, entry: Entry) -> bool:
        """Count an answer; whether a majority of each group has answered now."""
        if name in self.unanswered():
            self._versions[name] = entry.version
            self.newest = max(self.newest, entry, key=lambda held: held.version)
        return self._in_each(lambda each: each in self._versions)

    def newest_is_held(self) -> bool:
        """Whether majorities of each group have answered with the newest version."""
        return self._in_each(lambda each: self._versions.get(each) == self.newest.version)

    def _in_each(self, counts: Callable[[str], bool]) -> bool:
        return all(sum(map(counts, group)) >= majority(group) for group in self._groups)

    def __str__(self) -> str:
        needed = " and ".join(f"{majority(group)} of {', '.join(group)}" for group in self._groups)
        answered = ", ".join(sorted(self._versions)) or "none"
        return f"{type(self.request).__name__.lower()}: needs {needed}; answers from: {answered}"


class Operation:
    """A read, a write or a delete that is under way."""

    def __init__(
        self,
        place: str,
        partition: Partition,
        versions: Versions | None = None,
        value: str | None = None,
        rules: Rules = CORRECT,
    ) -> None:
        """A write if `versions` are given, otherwise a read; a write of None deletes."""
        self.place = place
        self.outcome: Outcome | None = None
        self.epoch = partition.epoch
        self._versions = versions
        self._value = value
        self._rules = rules
        self._chosen: Entry | None = None
        self.phase = Phase(Query(place, partition.epoch), groups_of(partition, rules))
        self._groups = groups_of(partition, rules)

    @property
    def writes(self) -> bool:
        return self._versions is not None

    @property
    def chosen(self) -> Entry | None:
        """What it stores, once it knows: of a write the only entry that it ever gives to any node."""
        return self._chosen

    def over(self) -> bool:
        return self.outcome is not None

    def answered(self, phase: Phase, name: str, entry: Entry) -> None:
        """A node answered a phase's request; answers to earlier phases, and after the outcome, change nothing."""
        if phase is not self.phase or self.outcome is not None or not phase.count(name, entry):
            return
        if isinstance(phase.request, Store):
            self.outcome = Done(phase.request.entry.value)
        elif self._versions is not None:
            self._store(Entry(self._versions.above(phase.newest.version.counter), self._value))
        elif phase.newest_is_held():
            self.outcome = Done(phase.newest.value)  # a majority has it already
        else:
            self._store(phase.newest)

    def moved(self, partition: Partition) -> None:
        """The partition has a newer epoch now: the phase starts again there."""
        if self.outcome is not None or partition.epoch == self.epoch:
            return
        self.epoch, self._groups = partition.epoch, groups_of(partition, self._rules)
        if self._chosen is not None:
            self._store(self._chosen)
        else:
            self.phase = Phase(Query(self.place, self.epoch), self._groups)

    def gave_up(self, why: str = "") -> None:
        """No majority answered in time, or another node leads now; changes nothing if there is an outcome."""
        if self.outcome is None:
            told = f"{self.phase}{f'; {why}' if why else ''}"
            effect = self._rules.broken_writes_unknown and self._chosen is not None and self._versions is not None
            self.outcome = Unknown(told) if effect else Failed(told)

    def _store(self, entry: Entry) -> None:
        self._chosen = entry
        self.phase = Phase(Store(self.place, entry, self.epoch), self._groups)
