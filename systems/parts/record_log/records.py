"""The format of a log and its mark, and how damage to them is detected.

A record of the log is

    LENGTH GENERATION CHECKSUM HEAD-CHECKSUM DATA \\n

all hexadecimal except the data, which is one line. The head proves how long the record is, so that a damaged tail can be told
from a torn one: the bytes of a torn record are missing or zero from some point on, and its line end, which comes last, is
missing. Each record names its log's generation; a log that replaces another has a higher one.

The mark says how much of which generation was acknowledged. It gets a line for each record, appended after the record is synced
and before anything in it is acknowledged. So what is missing or unreadable below the mark was lost, whether or not it looks
torn, and what is above it was never acknowledged. A separate mark is how Alagappan et al., "Protocol-Aware Recovery for
Consensus-Based Storage", FAST 2018, section 3.3, tell a crash from damage.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final, NamedTuple

_HEAD_BYTES: Final = 44
_MARK_BYTES: Final = 43


class Damaged(Exception):
    """Something that was on the disk is missing or unreadable."""


class Mark(NamedTuple):
    """How much was acknowledged."""

    generation: int
    log_bytes: int


class _Head(NamedTuple):
    length: int
    generation: int
    checksum: int


@dataclass(frozen=True, kw_only=True)
class Log:
    """A log that was read: its generation, its records in order, and how many torn bytes are at its end."""

    generation: int
    records: list[bytes]
    torn_bytes: int


def encode_record(generation: int, data: bytes) -> bytes:
    """The bytes of a record, which are synced together. The data has no line ends."""
    head = b"%08x %016x %08x" % (len(data), generation, zlib.crc32(data))
    return b"%s %08x %s\n" % (head, zlib.crc32(head), data)


def encode_line(text: bytes) -> bytes:
    """A text without line ends, as one line that begins with its checksum."""
    return b"%08x %s\n" % (zlib.crc32(text), text)


def decode_line(line: bytes) -> bytes | None:
    """The text of a line from `encode_line`; None if it is damaged."""
    text = line[9:-1]
    return text if line == encode_line(text) else None


def encode_mark(mark: Mark) -> bytes:
    return encode_line(b"%016x %016x" % mark)


def decode_marks(data: bytes) -> Mark:
    """The last mark; a torn one was not in use yet. Raises `Damaged` if the last complete one cannot be read."""
    for begin in range((len(data) - 1) // _MARK_BYTES * _MARK_BYTES, -1, -_MARK_BYTES):
        line = data[begin : begin + _MARK_BYTES]
        text = decode_line(line)
        if text is not None:
            generation, log_bytes = text.split()
            return Mark(int(generation, 16), int(log_bytes, 16))
        if len(line) == _MARK_BYTES and line[-1] != 0:
            break
    raise Damaged("the mark of what was acknowledged is damaged")


def decode_log(data: bytes, mark: Mark | None) -> Log:
    """Decode a log; `mark` is None if nothing of it was acknowledged yet. Raises `Damaged` if a part of it was lost.

    Only the last record can be torn, since each is written after the previous one is synced, and only above the mark. The first
    one never is: it was complete before it replaced another log.
    """
    records: list[bytes] = []
    generation: int | None = None
    at = number = 0
    while at < len(data):
        number += 1
        found = _record_at(data, at)
        if found is None and _torn(data[at:]) and generation is not None:
            break
        if found is None or generation not in (None, found[0]):
            raise Damaged(f"record {number} of the log is damaged")
        generation, record, at = found
        records.append(record)
    if generation is None:
        raise Damaged("the log is empty")
    if mark is not None and mark.generation > generation:
        raise Damaged(f"the log is an older one: generation {generation}, and {mark.generation} was in use")
    if mark is not None and mark.generation == generation and mark.log_bytes > at:
        raise Damaged(f"the log's first {at} bytes are whole, and {mark.log_bytes} were acknowledged")
    if (mark is None or mark.generation < generation) and number > 1:
        raise Damaged(f"the log has {number} records, and its mark is lost")
    return Log(generation=generation, records=records, torn_bytes=len(data) - at)


def readable(data: bytes) -> list[bytes]:
    """The records of a damaged log that can still be read, in order."""
    found = [_record_at(line + b"\n", 0) for line in data.split(b"\n")]
    return [record for _, record, _ in filter(None, found)]


def _record_at(data: bytes, at: int) -> tuple[int, bytes, int] | None:
    """The generation and data of the record that begins at `at`, and where it ends; None if it is not intact.

    It is intact if encoding it again gives the same bytes, which takes half the time of decoding its head: logs are read often
    in simulations.
    """
    end = data.find(b"\n", at + _HEAD_BYTES) + 1
    if not end:
        return None
    record = data[at + _HEAD_BYTES : end - 1]
    try:
        generation = int(data[at + 9 : at + 25], 16)
    except ValueError:
        return None
    return (generation, record, end) if data[at:end] == encode_record(generation, record) else None


def _head(data: bytes) -> _Head | None:
    """Decode a head; None if it is not intact."""
    if len(data) < _HEAD_BYTES or data[34:] != b" %08x " % zlib.crc32(data[:34]):
        return None
    length, generation, checksum = data[:34].split()
    return _Head(int(length, 16), int(generation, 16), int(checksum, 16))


def _torn(rest: bytes) -> bool:
    """Whether the rest of a log, which is not an intact record, can be one that a crash tore.

    Its bytes end too early, or in zeros: a file's length may reach the disk before its content.
    """
    written = rest.rstrip(b"\0")
    head = _head(rest[:_HEAD_BYTES])
    if head is None:
        return len(written) < _HEAD_BYTES
    return len(written) < _HEAD_BYTES + head.length + 1 and b"\n" not in written
