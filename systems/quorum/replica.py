"""What a replica holds, and the form in which it is kept on a disk. No I/O here: see `storage`."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from systems.quorum.bugs import CORRECT, Rules
from systems.quorum.messages import Entry


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
    return encode_line(msgspec.json.encode(list(batch)))


def encode_line(text: bytes) -> bytes:
    """A text without line ends, as one line that begins with its checksum."""
    return b"%08x %s\n" % (zlib.crc32(text), text)


def decode_line(line: bytes) -> bytes | None:
    """The text of such a line, which is given without its line end; None where it is damaged."""
    checksum, _, text = line.partition(b" ")
    return text if checksum == b"%08x" % zlib.crc32(text) else None


def decode_log(data: bytes, *, skip_damaged: bool = False) -> tuple[list[Held], int]:
    """All entries of a log in their order, and how many bytes are left at its end of a record that a crash tore.

    A record is written when the one before it is synced, so only the last can be torn, and it was never acknowledged; its line
    end, which comes last, is missing. Raises `DamagedLog` where a whole line cannot be read.
    """
    *lines, torn = data.split(b"\n")
    entries: list[Held] = []
    for number, line in enumerate(lines, start=1):
        batch = _decode_record(line)
        if batch is not None:
            entries += batch
        elif not skip_damaged:
            raise DamagedLog(f"record {number} of {len(lines)} in the log is damaged")
    return entries, len(torn)


def _decode_record(line: bytes) -> list[Held] | None:
    record = decode_line(line)
    return None if record is None else msgspec.json.decode(record, type=list[Held])
