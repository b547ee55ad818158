"""Changes of keys as records of a log. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from systems.eventual.messages import Held, HeldList, State


def encode_changes(changes: Mapping[str, State | None]) -> bytes:
    """One record. None: the key is held no more."""
    return msgspec.json.encode([Held.of(key, state) for key, state in changes.items()])


def decode_changes(records: Iterable[bytes]) -> dict[str, State | None]:
    """What is left of many, the last state of each key."""
    found: dict[str, State | None] = {}
    for record in records:
        for held in msgspec.json.decode(record, type=HeldList):
            found.pop(held.key, None)
            found[held.key] = held.state
    return found
