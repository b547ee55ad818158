"""The quorum protocol, without I/O, time or threads: atomic registers for many writers and readers (ABD).

Attiya, Bar-Noy, Dolev, "Sharing Memory Robustly in Message-Passing Systems", JACM 42(1), 1995, for one writer; Lynch,
Shvartsman, "Robust Emulation of Shared Memory Using Dynamic Quorum-Acknowledged Broadcasts", FTCS 1997, for many.

Every operation has two phases. *Query*: ask all replicas what they hold of the key, and wait for a quorum. *Store*: give all
replicas a value with its version, and wait until a quorum has it on disk. A write stores its value under a version above all
that it was told; a read stores the newest value that it was told before it answers, so that no later read sees an older one.
Because any read quorum meets any write quorum, whoever asks later is told of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from systems.quorum.bugs import CORRECT, Rules


class Version(NamedTuple):
    """The order of writes: by counter, then by writer. No clock takes part.

    `start` counts the writer's starts, on its disk. Without it, a writer that crashed between choosing a version and telling
    a majority could choose that version again after its restart, for another value.
    """

    counter: int
    writer: str
    start: int


ZERO = Version(0, "", 0)
"""The version of a key that was never written."""


class Entry(NamedTuple):
    """A value and its version; the value is None where the key was never written."""

    version: Version = ZERO
    value: str | None = None


class Versions:
    """The versions that one start of one writer gives its writes: above what it is told, and never the same twice."""

    def __init__(self, writer: str, start: int) -> None:
        self._writer = writer
        self._start = start
        self._last = 0

    def above(self, counter: int) -> Version:
        # Two writes that go on at once are told the same; the second must not get the first one's version.
        self._last = max(self._last, counter) + 1
        return Version(self._last, self._writer, self._start)


@dataclass(kw_only=True)
class Phase:
    """One round of questions: who has answered what, and whether that is enough. The quorum counts replicas, not answers."""

    need: int
    rules: Rules = CORRECT
    answers: list[tuple[str, Entry]] = field(default_factory=list)

    def answered(self, replica: str, entry: Entry = Entry()) -> bool:  # noqa: B008 - immutable
        """Take one answer; returns whether the quorum is there."""
        if self.rules.count_answers or replica not in self.replicas:
            self.answers.append((replica, entry))
        return self.complete

    @property
    def replicas(self) -> set[str]:
        return {replica for replica, _ in self.answers}

    @property
    def complete(self) -> bool:
        return len(self.answers) >= self.need

    @property
    def newest(self) -> Entry:
        """The entry with the highest version among the answers."""
        return max((entry for _, entry in self.answers), key=lambda entry: entry.version, default=Entry())

    def held_by(self, version: Version) -> int:
        """How many of those that answered hold exactly this version."""
        return len({replica for replica, entry in self.answers if entry.version == version})


def needs_write_back(query: Phase, write_quorum: int, rules: Rules = CORRECT) -> bool:
    """Whether a read has to store what it is about to answer.

    Not where a write quorum has answered with that very version: it is on their disks, so every later query meets one of them,
    which is all that storing it again would bring about.
    """
    return rules.write_back and query.held_by(query.newest.version) < write_quorum


class Replica:
    """What one replica holds: the newest entry of each key that it was given."""

    def __init__(self, entries: Mapping[str, Entry] | None = None) -> None:
        self._entries = dict(entries or {})

    def query(self, key: str) -> Entry:
        return self._entries.get(key, Entry())

    def is_news(self, key: str, entry: Entry) -> bool:
        return entry.version > self.query(key).version

    def store(self, key: str, entry: Entry) -> None:
        """Keep an entry, unless a newer one is held. Call it when the entry is on the disk: what is told must last."""
        if self.is_news(key, entry):
            self._entries[key] = entry

    def overwrite(self, key: str, entry: Entry) -> None:
        """Keep an entry whatever is held: only a known-bad variant does that."""
        self._entries[key] = entry

    def items(self) -> list[tuple[str, Entry]]:
        return list(self._entries.items())
