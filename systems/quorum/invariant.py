"""The invariants over all replicas: no version of a key ever stands for two values, and those that repair agree in the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from systems.quorum.messages import Entry, Version
from systems.quorum.placement import Placement


class OneValueAVersion:
    """Checks the invariants. It remembers everything it has seen, since the other value may be gone by now.

    A history shows a violation only if both values are read.
    """

    def __init__(self, placement: Placement | None) -> None:
        """`placement` of a store whose replicas compare what they hold; None if they do not, and so need never agree."""
        self._placement = placement
        self._seen: dict[tuple[str, Version], tuple[str, str | None]] = {}
        self._last: dict[str, dict[str, Entry]] = {}
        """What each node showed last, which need not be checked again."""

    def broken(self, states: Mapping[str, object]) -> str | None:
        for name, state in states.items():
            last = self._last.setdefault(name, {})
            for key, entry in (cast(Mapping[str, Entry] | None, state) or {}).items():
                if last.get(key) is entry:
                    continue
                last[key] = entry
                first, value = self._seen.setdefault((key, entry.version), (name, entry.value))
                if value != entry.value:
                    return (
                        f"version {entry.version.counter} of {entry.version.writer} of key {key} stands for two values:"
                        f" {value} on {first}, and {entry.value} on {name}"
                    )
        return None

    def apart(self, states: Mapping[str, object]) -> str | None:
        """Of which key not all of its replicas hold the same version. Tombstones are dropped at different times."""
        if self._placement is None:
            return None
        held = {name: cast(Mapping[str, Entry] | None, state) for name, state in states.items()}
        keys = dict.fromkeys(key for entries in held.values() for key in entries or {})
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
