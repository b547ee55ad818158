"""A replica's log: entries by index, and where each epoch ends. No I/O here: see `storage`.

An epoch has one primary, which adds entries after those it has. So two logs that both have an entry of the same epoch at the
same index are the same up to there. Where two logs begin to differ can be told from the ends of their epochs alone, in one
exchange, as with Kafka's leader epochs: KIP-101, "Alter Replication Protocol to use Leader Epoch rather than High Watermark
for Truncation", 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from systems.strong.messages import Entry, Position

NOTHING: Final = Position(0, 0)


class Log:
    """Entries from index 1 on. The first ones may be gone: their result is in a snapshot."""

    def __init__(self, ends: Sequence[Position] = (), entries: Sequence[Entry] = ()) -> None:
        """A log that continues after a snapshot with these ends of epochs."""
        self.base = ends[-1].index if ends else 0
        """Entries up to this index are gone."""
        self._ends = list(ends)
        self._entries: list[Entry] = []
        self.put(self.base, entries)

    @property
    def last(self) -> Position:
        return self._ends[-1] if self._ends else NOTHING

    def ends(self, until: int | None = None) -> list[Position]:
        """The last position of each epoch; of the log up to an index, if one is given."""
        if until is None or until >= self.last.index:
            return list(self._ends)
        ends: list[Position] = []
        for end in self._ends:
            if end.index >= until:
                return [*ends, Position(end.epoch, until)] if until else []
            ends.append(end)
        return ends

    def position(self, index: int) -> Position:
        """The position at an index, which is at most the last one's."""
        if index == 0:
            return NOTHING
        return next(Position(end.epoch, index) for end in self._ends if end.index >= index)

    def has(self, position: Position) -> bool:
        return position.index <= self.last.index and self.position(position.index) == position

    def entry(self, index: int) -> Entry:
        """The entry at an index. Raises `IndexError` if it is gone, or not there yet."""
        if index <= self.base:
            raise IndexError(f"entry {index} is gone; the first is {self.base + 1}")
        return self._entries[index - self.base - 1]

    def after(self, index: int, most: int | None = None) -> list[Entry]:
        """The entries after an index, at most this many. Raises `IndexError` if the first of them is gone."""
        if index < self.base:
            raise IndexError(f"entry {index + 1} is gone; the first is {self.base + 1}")
        begin = index - self.base
        return self._entries[begin : None if most is None else begin + most]

    def put(self, after: int, entries: Sequence[Entry]) -> None:
        """Put these entries after that index, in place of all that followed it. Raises `IndexError` if that is gone."""
        if not self.base <= after <= self.last.index:
            raise IndexError(f"entries after {after} do not fit a log of {self.base + 1} to {self.last.index}")
        if after < self.last.index:
            self._ends = self.ends(after)
            del self._entries[after - self.base :]
        for index, entry in enumerate(entries, start=after + 1):
            if self._ends and self._ends[-1].epoch == entry.epoch:
                self._ends[-1] = Position(entry.epoch, index)
            else:
                self._ends.append(Position(entry.epoch, index))
        self._entries += entries

    def forget(self, until: int) -> None:
        """Drop the entries up to an index."""
        if until > self.base:
            del self._entries[: until - self.base]
            self.base = until

    def common(self, ends: Sequence[Position]) -> int:
        """Up to which index this log is the same as another one, whose epochs end there."""
        theirs = {end.epoch: end.index for end in ends}
        return next((min(end.index, theirs[end.epoch]) for end in reversed(self._ends) if end.epoch in theirs), 0)
