"""What a replica holds. No I/O here: see `storage`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from systems.quorum.bugs import CORRECT, Rules
from systems.quorum.messages import Entry


class Held(NamedTuple):
    """A key's entry."""

    key: str
    entry: Entry


class Replica:
    """The newest entry of each key, as it is on this replica's disk: what it tells of must outlast its death."""

    def __init__(self, rules: Rules = CORRECT) -> None:
        self._rules = rules
        self._entries: dict[str, Entry] = {}

    def entry(self, key: str) -> Entry:
        return self._entries.get(key, Entry())

    def has(self, held: Held) -> bool:
        """Whether this entry or a newer one of its key is on the disk already."""
        return self._rules.newest_kept and held.entry.version <= self.entry(held.key).version

    def logged(self, held: Held) -> None:
        """An entry has come to be on the disk."""
        if not self.has(held):
            self._entries[held.key] = held.entry

    @property
    def by_key(self) -> Mapping[str, Entry]:
        return self._entries

    def entries(self) -> list[Held]:
        return [Held(key, entry) for key, entry in self._entries.items()]
