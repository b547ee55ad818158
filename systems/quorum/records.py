"""A replica's entries as records of its log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from systems.quorum.replica import Held


def encode_entries(held: Sequence[Held]) -> bytes:
    return msgspec.json.encode(held)


def decode_entries(records: Iterable[bytes]) -> list[Held]:
    """The entries of all records, in order."""
    return [held for record in records for held in msgspec.json.decode(record, type=list[Held])]
