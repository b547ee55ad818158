"""A replica's log on its disk: every entry it has acknowledged, appended, synced, and read back at the next start.

A record is a line: a checksum, and the entries that were synced together, as JSON (which has no line ends of its own).
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from typing import Final

import msgspec

from harness.disk import Disk
from systems.quorum.protocol import Entry, Replica, Version

LOG: Final = "entries"
STARTS: Final = "starts"
COMPACT_AT_BYTES: Final = 4 * 1024 * 1024
"""A log of this length is rewritten at the next start with the newest entry of each key alone."""


class Log:
    """Appends entries to the disk, many with one sync: all that arrive in one turn of the loop share it (group commit)."""

    def __init__(self, disk: Disk, on_durable: Callable[[str, Entry], None]) -> None:
        self._disk = disk
        self._on_durable = on_durable
        self._waiting: list[tuple[str, Entry, asyncio.Future[None]]] = []

    async def append(self, key: str, entry: Entry) -> None:
        """Return when the entry is on the disk, after `on_durable` was called with it."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._commit)
        future: asyncio.Future[None] = loop.create_future()
        self._waiting.append((key, entry, future))
        await future

    def _commit(self) -> None:
        batch, self._waiting = self._waiting, []
        try:
            self._disk.append(LOG, _encode([(key, entry) for key, entry, _ in batch]))
            self._disk.sync(LOG)
        except OSError as error:
            # What is on the disk now is unknown, and a second sync would not tell (it may succeed without having written).
            for _, _, future in batch:
                if not future.done():
                    future.set_exception(OSError(error.errno, f"the disk did not take the entry: {error.strerror}"))
            return
        for key, entry, future in batch:
            self._on_durable(key, entry)
            if not future.done():
                future.set_result(None)


class DamagedLog(Exception):
    """A record that was once on the disk cannot be read: what this replica has acknowledged is not known any more."""


def load(disk: Disk) -> tuple[Replica, int]:
    """What the replica held when it last ran, and how often it was started, this start included.

    A last record that cannot be read was torn by a crash: it was never acknowledged, and is cut off. Raises `DamagedLog` where
    such a record is followed by a good one.
    """
    replica, data = Replica(), disk.read(LOG) or b""
    torn_at = None
    for number, line in enumerate(data.splitlines(keepends=True)):
        batch = _decode(line)
        if batch is None:
            torn_at = number if torn_at is None else torn_at
        elif torn_at is not None:
            raise DamagedLog(f"record {torn_at} of the log is damaged, and record {number} after it is not")
        else:
            for key, entry in batch:
                replica.store(key, entry)
    if torn_at is not None or len(data) > COMPACT_AT_BYTES:
        disk.replace(LOG, _encode(replica.items()))
    start = int(disk.read(STARTS) or b"0") + 1
    disk.replace(STARTS, b"%d" % start)
    return replica, start


def _encode(batch: list[tuple[str, Entry]]) -> bytes:
    """One record: what was synced at once. Its checksum covers all of it, so a torn record is the last one."""
    record = msgspec.json.encode([(key, entry.version, entry.value) for key, entry in batch])
    return b"%08x %s\n" % (zlib.crc32(record), record)


def _decode(line: bytes) -> list[tuple[str, Entry]] | None:
    checksum, _, record = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(record):
        return None
    batch = msgspec.json.decode(record, type=list[tuple[str, Version, str | None]])
    return [(key, Entry(version, value)) for key, version, value in batch]
