"""What a replica holds, and how requests change it. Pure, without I/O: see `storage`."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from systems.parts.hints import Hint, Hints
from systems.quorum.bugs import CORRECT, Rules
from systems.quorum.messages import Accept, Drop, Entry, Keep, Prepare, ReplicaRequest, Store, Successor, Version

MOST_KEPT: Final = 100_000
"""The most entries that a node keeps for one other node. It refuses more, which counts as not answering."""

PART_BYTES: Final = 4 * 1024 * 1024
"""The approximate size of each part in which a replica sends everything that it holds."""
_ABOUT_BYTES: Final = 150
"""The approximate size of an entry without its value."""

_NEVER: Final = Version()


class Held(NamedTuple):
    """A key's entry: this replica's own or, with `home`, one that it keeps for another replica until that has it.

    An entry without a version stands for none; that of a dropped key has the highest counter that the key reached as its floor.
    """

    key: str
    entry: Entry
    home: str = ""


class Part(msgspec.Struct, frozen=True):
    """One part of what a replica holds; or, if it was asked for too few parts, none of it and how many parts are needed."""

    of: int
    held: list[Held]


class Release(NamedTuple):
    """A peer has what was kept for it, so it need not be kept any more."""

    key: str
    version: Version
    home: str


class Replica:
    """The newest entry of each key on this replica's disk: whatever it reports must survive a crash."""

    def __init__(self, rules: Rules = CORRECT, *, peers: Sequence[str] = ()) -> None:
        self._rules = rules
        self._entries: dict[str, Entry] = {}
        self._kept: Hints[Entry] = Hints(peers, most=MOST_KEPT, keep_s=float("inf"))
        self._peers = peers
        self._absent = Entry()
        """What it reports for a key that it does not hold."""

    def entry(self, key: str) -> Entry:
        return self._entries.get(key, self._absent)

    def newest(self, key: str) -> Entry:
        """The newest entry of a key, its own or one that it keeps for another replica."""
        return max((self.entry(key), *self._kept_of(key)), key=lambda entry: entry.version)

    def holds_older(self, key: str, version: Version) -> bool:
        """Whether it holds or keeps an entry of a key that is older than this."""
        held = self.entry(key)
        return (not is_none(held) and held.version < version) or any(kept.version < version for kept in self._kept_of(key))

    def after(self, request: ReplicaRequest | Release, held: Entry) -> Held | None:
        """What must be on the disk before a request can be answered, given the entry held for its key; None if nothing."""
        match request:
            case Store() | Prepare() | Accept():
                taken = self._taken(request, held)
                return None if taken is held else Held(request.key, taken)
            case Keep(key, entry, home):
                kept = self._kept.get(home, key)
                return None if kept is not None and entry.version <= kept.what.version else Held(key, entry, home)
            case Release(key, version, home):
                kept = self._kept.get(home, key)
                return Held(key, Entry(), home) if kept is not None and kept.what.version == version else None
            case Drop(key, version) if held.version == version and held.value is None:
                return Held(key, Entry(floor=version.counter))
        return None

    def logged(self, held: Held) -> None:
        """Something is now on the disk."""
        key, entry, home = held
        if home:
            self._kept.drop(home, key)
            if not is_none(entry):
                self._kept.leave(home, key, entry, 0.0)
        elif is_none(entry) or (entry.value is None and not self._rules.deletes_leave_tombstone):
            self._entries.pop(key, None)
            self._absent = Entry(floor=max(self._absent.floor, entry.floor))
        elif not self._rules.newest_kept or entry.version >= self.entry(key).version:
            self._entries[key] = entry

    def merge(self, held: Held) -> None:
        """Merge another replica's entry. For one version, both may have promised and accepted: neither may be forgotten."""
        key, entry, home = held
        if home:
            return
        ours = self.entry(key)
        if entry.version == ours.version and entry.successor is not None and ours.successor is not None:
            entry = msgspec.structs.replace(entry, successor=_both(entry.successor, ours.successor))
        if is_none(entry) or entry.version > ours.version or entry.successor is not None:
            self.logged(Held(key, entry))

    def has_room(self, home: str) -> bool:
        """Whether it may keep another entry for a peer. Raises `KeyError` if there is no such peer."""
        return self._kept.count(home) < MOST_KEPT

    def kept_for(self, home: str, count: int) -> list[Hint[Entry]]:
        """The oldest entries that are kept for a peer."""
        return self._kept.oldest(home, count)

    def kept(self) -> int:
        """How many entries it keeps for others."""
        return sum(self._kept.count(peer) for peer in self._peers)

    def kept_by_home(self) -> Mapping[str, Mapping[str, Hint[Entry]]]:
        """The entries that it keeps for others, by replica and key, read-only."""
        return {peer: self._kept.of(peer) for peer in self._peers}

    @property
    def floor(self) -> int:
        """The highest counter of the tombstones that it has dropped."""
        return self._absent.floor

    @property
    def by_key(self) -> Mapping[str, Entry]:
        """The entries that it holds itself."""
        return self._entries

    def entries(self) -> list[Held]:
        """Everything that it holds and keeps, for the first record of a compacted log."""
        floor = [Held("", self._absent)] if self._absent.floor else []
        kept = [Held(hint.key, hint.what, peer) for peer in self._peers for hint in self._kept.oldest(peer, MOST_KEPT)]
        return floor + [Held(key, entry) for key, entry in self._entries.items()] + kept

    def part(self, number: int, of: int) -> Part:
        """The entries of one part of its keys, by hash. A key's part does not depend on changes in between."""
        entries = self.entries()
        needed = 1 + sum(map(_about_bytes, entries)) // PART_BYTES
        if needed > of:
            return Part(needed, [])
        return Part(of, entries if of == 1 else [held for held in entries if zlib.crc32(held.key.encode()) % of == number])

    def some(self, keys: Sequence[str]) -> list[Held]:
        """The entries of the first of these keys: of as many as a part holds, and of one at least."""
        found: list[Held] = []
        size = 0
        for held in (Held(key, self.entry(key)) for key in keys):
            found.append(held)
            size += _about_bytes(held)
            if size >= PART_BYTES:
                break
        return found

    def _taken(self, request: Store | Prepare | Accept, held: Entry) -> Entry:
        entry = request.entry
        if entry.version > held.version or (not self._rules.newest_kept and isinstance(request, Store)):
            held = entry
        if isinstance(request, Store) or entry.version != held.version:
            return held
        before = held.successor
        if isinstance(request, Prepare):
            if before is not None and request.ballot <= before.promised:
                return held
            accepted, proposal = (None, None) if before is None else (before.accepted, before.proposal)
            after = Successor(request.ballot, accepted, proposal)
        else:
            if before is not None and (request.ballot < before.promised or request.ballot == before.accepted):
                return held
            after = Successor(request.ballot, request.ballot, request.proposal)
        return msgspec.structs.replace(held, successor=after)

    def _kept_of(self, key: str) -> Iterator[Entry]:
        for peer in self._peers:
            hint = self._kept.get(peer, key)
            if hint is not None:
                yield hint.what


def is_none(entry: Entry) -> bool:
    """Whether an entry stands for none."""
    return entry.version == _NEVER and entry.successor is None


def _about_bytes(held: Held) -> int:
    return len(held.entry.value or "") + _ABOUT_BYTES


def _both(one: Successor, other: Successor) -> Successor:
    """The higher promise of two, and the proposal that was accepted in the higher ballot."""
    last = max(one, other, key=lambda each: (each.accepted is not None, each.accepted or each.promised))
    return Successor(max(one.promised, other.promised), last.accepted, last.proposal)
