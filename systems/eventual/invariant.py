"""The invariants of all replicas: a version stands for one value, and no replaced value stays beside the new one.

In the end all hold the same, and no tombstones, which are dropped some time after all replicas have had them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import msgspec

_Shown = tuple[str, str, str | None]
"""Key, version and value."""


class EventualSafety:
    """See the module. It remembers every value that it has seen, because its replica may have replaced it since.

    Replicas that hold two values under one version take each other's for their own, and never agree. A value that stays
    beside one whose writer had seen it is returned to every reader, and the number of such values only grows.
    """

    def __init__(self, *, agreement: bool) -> None:
        """`agreement`: whether all replicas agree some time after the last write, even about keys that nobody reads."""
        self._agreement = agreement
        self._seen: dict[tuple[str, str], tuple[str, str | None]] = {}
        self._apart: set[tuple[str, frozenset[str]]] = set()
        """Versions of a key that were checked already."""

    def broken(self, states: Mapping[str, object]) -> str | None:
        for name, state in states.items():
            shown = cast(list[_Shown], state)
            for key, version, value in shown:
                first, before = self._seen.setdefault((key, version), (name, value))
                if before != value:
                    return f"version {version} of key {key} stands for two values: {before} on {first}, and {value} on {name}"
            for at in range(1, len(shown)):  # the values of a key come one after another
                if shown[at][0] == shown[at - 1][0] and (why := self._replaced(name, shown[at][0], shown)) is not None:
                    return why
        return None

    def apart(self, states: Mapping[str, object]) -> str | None:
        """Which value not all replicas hold, or which deleted key is not forgotten."""
        if not self._agreement:
            return None
        held = {
            name: {(key, version) for key, version, value in cast(list[_Shown], state) if value is not None}
            for name, state in states.items()
        }
        for name, versions in held.items():
            for other, others in held.items():
                if lacking := sorted(versions - others):
                    key, version = lacking[0]
                    return f"{other} lacks version {version} of key {key}, which {name} holds"
        for name, state in states.items():
            for key, version, value in cast(list[_Shown], state):
                if value is None:
                    return f"{name} still holds the tombstone of key {key}, {version}"
        return None

    def _replaced(self, name: str, key: str, shown: Sequence[_Shown]) -> str | None:
        beside = {version: value for of, version, value in shown if of == key and value is not None}
        if (key, frozenset(beside)) in self._apart:
            return None
        self._apart.add((key, frozenset(beside)))
        elements = {version: _elements(value) for version, value in beside.items()}
        for old, held in elements.items():
            for new, more in elements.items():
                if old != new and held and held[-1] in more:
                    return f"{name} holds {held} of key {key}, {old}, beside {more}, {new}, whose client had seen it"
        return None


def _elements(value: str) -> list[str]:
    """The elements of a set as its client wrote it, the one that it added last: a value that holds that was written later."""
    try:
        return msgspec.json.decode(value, type=list[str])
    except msgspec.MsgspecError:
        return []
