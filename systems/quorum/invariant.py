"""The invariant over all replicas at any moment: no version of a key ever stands for two values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from systems.quorum.messages import Entry, Version


class OneValueAVersion:
    """Checks the invariant. It remembers everything it has seen, since the other value may be gone by now.

    A history shows a violation only if both values are read.
    """

    def __init__(self) -> None:
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
