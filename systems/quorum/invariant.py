"""The invariants over all replicas: a version stands for one value, none is forgotten, and those that repair agree in the end.

Then they no longer hold tombstones that have served their time, either.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from systems.quorum.messages import Entry, Version
from systems.quorum.placement import Placement


class OneValueAVersion:
    """Checks the invariants. It remembers everything it has seen, since the other value may be gone by now.

    A history shows that a version stands for two values only if both are read, and that a replica has forgotten something only
    if too few others remember.
    """

    def __init__(self, placement: Placement | None, *, durable: bool, tombstones_dropped: bool) -> None:
        """`placement` of a store whose replicas compare what they hold; None if they do not, and so need never agree.

        `durable`: replicas keep what they hold through a restart, unless they find that their logs are damaged.
        """
        self._placement = placement
        self._durable = durable
        self._tombstones_dropped = tombstones_dropped
        self._seen: dict[tuple[str, Version], tuple[str, str | None]] = {}
        self._last: dict[str, dict[str, Entry]] = {}
        """What each node showed last, which need not be checked again."""
        self._deleted: dict[str, Version] = {}
        """The newest tombstone of each key that any node has shown."""

    def broken(self, states: Mapping[str, object]) -> str | None:
        for name, state in states.items():
            entries = cast(Mapping[str, Entry] | None, state)
            if entries is None:
                self._last.pop(name, None)  # a damaged log: what it gets from the others is what quorums have
                continue
            last = self._last.setdefault(name, {})
            for key in last.keys() - entries.keys():
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
                if entry.value is None:
                    self._deleted[key] = max(entry.version, self._deleted.get(key, entry.version))
                if self._durable and earlier is not None and entry.version < earlier.version:
                    return (
                        f"{name} held version {earlier.version.counter} of {earlier.version.writer} of key {key}, and now"
                        f" version {entry.version.counter} of {entry.version.writer}"
                    )
                first, value = self._seen.setdefault((key, entry.version), (name, entry.value))
                if value != entry.value:
                    return (
                        f"version {entry.version.counter} of {entry.version.writer} of key {key} stands for two values:"
                        f" {value} on {first}, and {entry.value} on {name}"
                    )
        return None

    def apart(self, states: Mapping[str, object]) -> str | None:
        """Of which key not all of its replicas hold the same version, or which tombstone was not dropped."""
        if self._placement is None:
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
