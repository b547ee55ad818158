"""The invariants over all replicas: a version stands for one write, none is forgotten, and in the end replicas agree.

By then they no longer hold tombstones whose time is over. A replica whose log was damaged serves again only when it holds
everything that any write quorum had, because it may have belonged to that quorum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from systems.quorum.messages import Ballot, Entry, Version
from systems.quorum.placement import Placement


@dataclass
class _Owed:
    """What a replica must hold before it serves again after damage to its log."""

    safe: dict[str, Version]
    """What enough replicas held when the damage was found."""
    had: dict[str, Version]
    """What it held itself."""
    ended: bool = False
    """Whether it ended before it was rebuilt. If the next start finds no damage, only the data that was read was damaged, not
    the disk: then the replica need only hold what it held before."""


class OneValueAVersion:
    """Checks the invariants. It remembers everything it has seen, since the other value may be gone by now.

    A history shows that a version stands for two values only if both are read, and that a replica has forgotten something only
    if too few others remember. And that it has forgotten whose compare-and-set it is shows only if its coordinator has to ask.
    """

    def __init__(
        self, placement: Placement, *, write: int, repairs: bool, durable: bool, tombstones_dropped: bool
    ) -> None:  # fmt: skip
        """`repairs`: replicas compare what they hold, and so must agree in the end.

        `durable`: replicas keep what they hold through a restart, unless they find that their logs are damaged.
        """
        self._placement = placement
        self._holders = max(2, write)
        """How many replicas must hold an entry for it to survive damage to one of them."""
        self._repairs = repairs
        self._durable = durable
        self._tombstones_dropped = tombstones_dropped
        self._seen: dict[tuple[str, Version], tuple[str, str | None, Ballot | None]] = {}
        self._last: dict[str, dict[str, Entry]] = {}
        """What each node showed last, which need not be checked again."""
        self._safe: dict[str, Version] = {}
        """The newest version of each key that was ever on enough replicas."""
        self._owed: dict[str, _Owed] = {}
        """What each replica with a damaged log must get back."""
        self._deleted: dict[str, Version] = {}
        """The newest tombstone of each key that any node has shown."""

    def broken(self, states: Mapping[str, object]) -> str | None:
        for name in self._owed.keys() - states.keys():
            self._owed[name].ended = True
        for name, state in states.items():
            entries = cast(Mapping[str, Entry] | None, state)
            if entries is None:  # a damaged log: what it gets from the others is what quorums have
                had = {key: entry.version for key, entry in self._last.pop(name, {}).items()}
                self._owed.setdefault(name, _Owed(dict(self._safe), had)).ended = False
                continue
            if (owed := self._owed.pop(name, None)) is not None and (why := self._lacks(name, entries, owed)) is not None:
                return why
            last = self._last.setdefault(name, {})
            for key in [key for key in last if key not in entries]:  # not a set: its order varies
                gone = last.pop(key)
                # It may have had the tombstone for a moment only: another one decides when it is dropped.
                dropped = self._deleted.get(key, Version()) > gone.version
                if self._durable and gone.value is not None and not dropped:
                    return f"{name} held {_as_text((gone.version, gone.value))} of key {key}, and now nothing"
            for key, entry in entries.items():
                earlier = last.get(key)
                if earlier is entry:
                    continue
                last[key] = entry
                self._note_safe(key)
                if entry.value is None:
                    self._deleted[key] = max(entry.version, self._deleted.get(key, entry.version))
                if self._durable and earlier is not None and entry.version < earlier.version:
                    return (
                        f"{name} held version {earlier.version.counter} of {earlier.version.writer} of key {key}, and now"
                        f" version {entry.version.counter} of {entry.version.writer}"
                    )
                first, value, of = self._seen.setdefault((key, entry.version), (name, entry.value, entry.decided_for))
                if value == entry.value and of != entry.decided_for:
                    return (
                        f"version {entry.version.counter} of {entry.version.writer} of key {key} comes from"
                        f" {_writer_as_text(of)} on {first}, and from {_writer_as_text(entry.decided_for)} on {name}"
                    )
                if value != entry.value:
                    return (
                        f"version {entry.version.counter} of {entry.version.writer} of key {key} stands for two values:"
                        f" {value} on {first}, and {entry.value} on {name}"
                    )
        return None

    def _note_safe(self, key: str) -> None:
        homes = [self._last[home] for home in self._placement.homes(key) if home in self._last]
        versions = sorted((entries[key].version for entries in homes if key in entries), reverse=True)
        if len(versions) >= self._holders:
            self._safe[key] = max(versions[self._holders - 1], self._safe.get(key, Version()))

    def _lacks(self, name: str, entries: Mapping[str, Entry], owed: _Owed) -> str | None:
        """What a replica that serves again after damage does not hold although enough others did."""
        if not self._durable:
            return None
        for key, safe in owed.safe.items():
            version = min(safe, owed.had.get(key, Version())) if owed.ended else safe
            held = entries.get(key, Entry()).version
            dropped = self._tombstones_dropped and self._deleted.get(key, Version()) >= version
            if held < version and not dropped and name in self._placement.homes(key):
                return (
                    f"{name} has recovered from damage and holds version {held.counter} of key {key}, of which"
                    f" {self._holders} replicas held version {version.counter} of {version.writer} before"
                )
        return None

    def apart(self, states: Mapping[str, object]) -> str | None:
        """Of which key not all of its replicas hold the same version, or which tombstone was not dropped."""
        if not self._repairs:
            return None
        held = {name: cast(Mapping[str, Entry] | None, state) for name, state in states.items()}
        keys = dict.fromkeys(key for entries in held.values() for key in entries or {})
        if self._tombstones_dropped:
            for name, entries in held.items():
                for key, entry in (entries or {}).items():
                    if entry.value is None and entry.version != Version():
                        return f"{name} still holds the tombstone of key {key}, version {entry.version.counter}"
        for key in keys:
            first, *others = self._placement.homes(key)
            for other in others:
                ours, theirs = _value_of(held.get(first), key), _value_of(held.get(other), key)
                if ours != theirs:
                    return f"of key {key}, {first} holds {_as_text(ours)}, and {other} {_as_text(theirs)}"
        return None


def _value_of(entries: Mapping[str, Entry] | None, key: str) -> tuple[Version, str] | None:
    entry = None if entries is None else entries.get(key)
    return None if entry is None or entry.value is None else (entry.version, entry.value)


def _as_text(held: tuple[Version, str] | None) -> str:
    return "no value" if held is None else f"{held[1]}, version {held[0].counter} of {held[0].writer}"


def _writer_as_text(ballot: Ballot | None) -> str:
    return "a write" if ballot is None else f"compare-and-set {ballot.number} of {ballot.proposer}"
