"""A node's log in memory: the entries after a base; those up to the base were dropped, since a snapshot holds their effect."""

from __future__ import annotations

from collections.abc import Sequence

from systems.raft.core.messages import Entry, Members


class Log:
    """Entries `base_index + 1` to `last_index`, and the members after each change of them."""

    def __init__(self, members: Members, *, base_index: int = 0, base_term: int = 0, entries: Sequence[Entry] = ()) -> None:
        """`members` are the members at the base."""
        self.base_index = base_index
        self.base_term = base_term
        self._entries: list[Entry] = []
        self._members: list[tuple[int, Members]] = [(base_index, members)]
        for entry in entries:
            self.append(entry)

    def __copy__(self) -> Log:
        """The same entries, in a log that can be changed by itself."""
        other = type(self)(self._members[0][1], base_index=self.base_index, base_term=self.base_term)
        other._entries, other._members = self._entries[:], self._members[:]
        return other

    @property
    def last_index(self) -> int:
        return self.base_index + len(self._entries)

    @property
    def last_term(self) -> int:
        return self._entries[-1].term if self._entries else self.base_term

    @property
    def members(self) -> Members:
        """The members after the last entry that changed them, committed or not (thesis, section 4.1)."""
        return self._members[-1][1]

    @property
    def members_index(self) -> int:
        """The index of that entry."""
        return self._members[-1][0]

    def members_at(self, index: int) -> Members:
        """The members as of the entry at an index, which is not before the base."""
        return next(members for at, members in reversed(self._members) if at <= index)

    def members_since(self, index: int) -> list[Members]:
        """The members as of the entry at an index, and after each later change."""
        return [self.members_at(index), *(members for at, members in self._members if at > index)]

    def term(self, index: int) -> int | None:
        """The term of the entry at an index; None if it is not there, or was dropped."""
        if index == self.base_index:
            return self.base_term
        place = index - self.base_index - 1
        return self._entries[place].term if 0 <= place < len(self._entries) else None

    def entry(self, index: int) -> Entry:
        return self._entries[index - self.base_index - 1]

    def slice(self, first: int, last: int) -> list[Entry]:
        """The entries from one index to another, both included, as far as they exist."""
        return self._entries[max(0, first - self.base_index - 1) : max(0, last - self.base_index)]

    def append(self, entry: Entry) -> None:
        """Append an entry, which follows the last one."""
        self._entries.append(entry)
        if entry.members is not None:
            self._members.append((entry.index, entry.members))

    def truncate(self, index: int) -> None:
        """Drop the entry at an index and all later ones."""
        del self._entries[max(0, index - self.base_index - 1) :]
        while len(self._members) > 1 and self._members[-1][0] >= index:
            self._members.pop()

    def drop_to(self, index: int) -> None:
        """Make an entry the base: drop it and all earlier ones. Does nothing if it is not after the base, or does not exist."""
        term = self.term(index)
        if term is None or index <= self.base_index:
            return
        members = self.members_at(index)
        del self._entries[: index - self.base_index]
        self.base_index, self.base_term = index, term
        self._members = [(index, members), *((at, later) for at, later in self._members if at > index)]

    def begin_at(self, index: int, term: int, members: Members) -> None:
        """Start again with an empty log after the last entry that a snapshot holds."""
        self.base_index, self.base_term = index, term
        self._entries.clear()
        self._members = [(index, members)]
