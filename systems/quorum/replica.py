"""What a replica holds, and the form in which it is kept on a disk. No I/O here: see `storage`."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from systems.quorum.bugs import CORRECT, Rules
from systems.quorum.protocol import Entry


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

    def entries(self) -> list[Held]:
        return [Held(key, entry) for key, entry in self._entries.items()]


class DamagedLog(Exception):
    """A record that was once on the disk cannot be read: what this replica has acknowledged is not known any more."""


def encode_record(batch: Iterable[Held]) -> bytes:
    """What is synced at once, as one line: the checksum of what follows, and JSON, which has no line ends of its own."""
    record = msgspec.json.encode(list(batch))
    return b"%08x %s\n" % (zlib.crc32(record), record)


def decode_log(data: bytes) -> tuple[list[Held], int]:
    """All entries of a log in their order, and how many bytes hold them; what follows those was torn by a crash.

    A record is written when the one before it is synced, so only the last can be torn, and it was never acknowledged. Raises
    `DamagedLog` where a good record follows one that cannot be read.
    """
    entries: list[Held] = []
    good_bytes, torn_at = 0, None
    for number, line in enumerate(data.splitlines(keepends=True), start=1):
        batch = _decode_record(line)
        if batch is None:
            torn_at = torn_at or number
        elif torn_at is not None:
            raise DamagedLog(f"record {torn_at} of the log is damaged, and record {number} after it is not")
        else:
            entries += batch
            good_bytes += len(line)
    return entries, good_bytes


def _decode_record(line: bytes) -> list[Held] | None:
    checksum, _, record = line[:-1].partition(b" ")
    if not line.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(record):
        return None
    return msgspec.json.decode(record, type=list[Held])
