"""The log of a node, in memory: entries after a base, up to which they were dropped because a snapshot holds what they did."""

from __future__ import annotations

from collections.abc import Sequence

from systems.raft.core.messages import Entry, Members


class Log:
    """Entries `base_index + 1` to `last_index`, and which members each change of them left."""

    def __init__(self, members: Members, *, base_index: int = 0, base_term: int = 0, entries: Sequence[Entry] = ()) -> None:
        """`members` are those at the base."""
        self.base_index = base_index
        self.base_term = base_term
        self._entries: list[Entry] = []
        self._members: list[tuple[int, Members]] = [(base_index, members)]
        for entry in entries:
            self.append(entry)

    @property
    def last_index(self) -> int:
        return self.base_index + len(self._entries)

    @property
    def last_term(self) -> int:
        return self._entries[-1].term if self._entries else self.base_term

    @property
    def members(self) -> Members:
        """By the last entry that changed them, committed or not (thesis, section 4.1)."""
        return self._members[-1][1]

    @property
    def members_index(self) -> int:
        """Of that entry."""
        return self._members[-1][0]

    def members_at(self, index: int) -> Members:
        """By the last entry that changed them up to that one, which is not before the base."""
        return next(members for at, members in reversed(self._members) if at <= index)

    def term(self, index: int) -> int | None:
        """The term of the entry at an index; None if it is not there, or was dropped."""
        if index == self.base_index:
            return self.base_term
        place = index - self.base_index - 1
        return self._entries[place].term if 0 <= place < len(self._entries) else None

    def entry(self, index: int) -> Entry:
        return self._entries[index - self.base_index - 1]

    def slice(self, first: int, last: int) -> list[Entry]:
        """The entries from one index to another, both included, as far as they are there."""
        return self._entries[max(0, first - self.base_index - 1) : max(0, last - self.base_index)]

    def append(self, entry: Entry) -> None:
        """The entry is the one after the last."""
        self._entries.append(entry)
        if entry.members is not None:
            self._members.append((entry.index, entry.members))

    def truncate(self, index: int) -> None:
        """Drop the entry at an index, and all after it."""
        del self._entries[max(0, index - self.base_index - 1) :]
        while len(self._members) > 1 and self._members[-1][0] >= index:
            self._members.pop()

    def drop_to(self, index: int) -> None:
        """Make an entry the base: it and all before it are dropped. Nothing if it is not after the base, or not there."""
        term = self.term(index)
        if term is None or index <= self.base_index:
            return
        members = self.members_at(index)
        del self._entries[: index - self.base_index]
        self.base_index, self.base_term = index, term
        self._members = [(index, members), *((at, later) for at, later in self._members if at > index)]

    def begin_at(self, index: int, term: int, members: Members) -> None:
        """Begin anew, empty, after an entry that a snapshot holds."""
        self.base_index, self.base_term = index, term
        self._entries.clear()
        self._members = [(index, members)]
