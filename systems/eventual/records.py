"""Changes of keys as records of a log. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from systems.eventual.messages import Held, HeldList, State


def encode_changes(changes: Mapping[str, State | None]) -> bytes:
    """One record of some changes. None: the key was removed."""
    return msgspec.json.encode([Held.of(key, state) for key, state in changes.items()])


def decode_changes(records: Iterable[bytes]) -> dict[str, State | None]:
    """The last state of each key in some records."""
    found: dict[str, State | None] = {}
    for record in records:
        for held in msgspec.json.decode(record, type=HeldList):
            found.pop(held.key, None)
            found[held.key] = held.state
    return found
