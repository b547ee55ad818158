"""The copy that an arriving node makes of a partition, as a pure state machine: its sources, its progress, its completion.

The node's storage keeps the progress as a note, in the same record as the copied entries. So a node that was killed continues
exactly where it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from systems.partitioned.bugs import CORRECT, Rules
from systems.partitioned.messages import Pulled, PullRequest
from systems.partitioned.partition_map import Partition, majority
from systems.partitioned.storage import size_of


class _Progress(msgspec.Struct, frozen=True, array_like=True):
    """The progress of the copy from one owner."""

    after: str = ""
    done: bool = False
    taken_bytes: int = 0
    of_bytes: int = 0


class Copy:
    """One partition in one move, on one arriving node."""

    def __init__(self, partition: Partition, notes: Mapping[str, str], rules: Rules = CORRECT) -> None:
        self.low, self.move = partition.low, partition.move
        self._rules = rules
        self._sources: Sequence[str] = partition.owners
        self._progress = {
            name: msgspec.json.decode(notes[self.note(name)], type=_Progress) if self.note(name) in notes else _Progress()
            for name in partition.owners
        }

    def note(self, source: str) -> str:
        return f"{self.low}|{self.move}|{source}"

    @property
    def whole(self) -> bool:
        """Whether the copies from a majority of the owners are complete."""
        return sum(one.done for one in self._progress.values()) >= majority(self._sources)

    def sources(self) -> list[str]:
        """The owners whose copies are incomplete, the most advanced first."""
        left = [name for name in self._sources if not self._progress[name].done]
        return sorted(left, key=lambda name: self._progress[name].after, reverse=True)

    def request(self, source: str, limit_bytes: int) -> PullRequest:
        return PullRequest(self.low, self.move, self._progress[source].after, limit_bytes)

    def with_part(self, source: str, part: Pulled) -> tuple[str, str]:
        """The name and the text of the note to store with a part of the copy."""
        before = self._progress[source]
        after = _Progress(
            after=part.held[-1].place if part.held else before.after,
            done=part.done,
            taken_bytes=before.taken_bytes + sum(map(size_of, part.held)),
            of_bytes=before.of_bytes if part.of_bytes is None else part.of_bytes,
        )
        return self.note(source), msgspec.json.encode(after).decode()

    def took(self, source: str, text: str) -> None:
        """A part and its note are on the disk."""
        self._progress[source] = msgspec.json.decode(text, type=_Progress)

    def measured(self) -> tuple[int, int]:
        """The bytes copied, and the partition's size in bytes according to its owners: averages over completed copies."""
        done = [one for one in self._progress.values() if one.done]
        return sum(one.taken_bytes for one in done) // len(done), sum(one.of_bytes for one in done) // len(done)


def as_far(found: str | None, known: str) -> bool:
    """Whether a note that was found tells of as much progress as the known one."""
    if found is None:
        return False
    one, other = (msgspec.json.decode(text, type=_Progress) for text in (found, known))
    return (one.done, one.taken_bytes) >= (other.done, other.taken_bytes)


def move_of(note: str) -> tuple[str, int]:
    """The partition and the move of a note."""
    low, move, _ = note.rsplit("|", 2)
    return low, int(move)
