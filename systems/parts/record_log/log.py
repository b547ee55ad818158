"""The files of a record log on a node's disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from harness.node.disk import Disk
from systems.parts.record_log.records import (
    Damaged,
    Log,
    Mark,
    decode_log,
    decode_marks,
    encode_mark,
    encode_record,
    readable,
)

_MARKS_A_SYNC: Final = 64
"""Marks are synced once for this many, so that most records cost one sync only. A power loss may lose the last marks, but not
their records, which are synced themselves. Only if such a record is also damaged, in a way that looks torn, is it dropped."""


class NothingWritten(OSError):
    """The disk did not take a record, and nothing of it is left there."""


class RecordLog:
    """Records in the order in which they were appended: a file `name`, and a file `mark` that says how much of it is durable.

    Read it once with `load`, and `replace` it before appending: what was read may be only in the page cache, and it must be
    durable before anything builds on it. A sync is not enough, since one may have failed in the node's previous life. After an
    `OSError` other than `NothingWritten`, it is not known what is on the disk, and a later successful sync would not show it:
    `replace` the log then.
    """

    def __init__(self, disk: Disk, *, name: str, mark: str, sync: Callable[[str], None] | None = None) -> None:
        """`sync` syncs a file by its name; the disk's own `sync` by default."""
        self._disk = disk
        self._name = name
        self._mark = mark
        self._sync = sync or disk.sync
        self._generation = self._marks = 0
        self.size_bytes = 0
        """The size of the file."""

    def load(self, *, existed: bool = False) -> Log:
        """Read the log. Raises `Damaged` if it does not hold everything that was acknowledged.

        `existed` says that there must be a log, even if both files are missing.
        """
        data, marks = self._disk.read(self._name), self._disk.read(self._mark)
        mark = None if marks is None else decode_marks(marks)
        if mark is not None:
            self._generation = mark.generation
        if data is None:
            if mark is not None or existed:  # the log is created before its mark
                raise Damaged("the log is lost")
            return Log(generation=0, records=[], torn_bytes=0)
        log = decode_log(data, mark)
        self._generation = max(self._generation, log.generation)
        return log

    def readable(self) -> list[bytes]:
        """The records that can still be read of a damaged log: not all that were acknowledged."""
        return readable(self._disk.read(self._name) or b"")

    def append(self, data: bytes) -> None:
        """Append one record, without line ends; it is durable when this returns. Blocks for one sync.

        Raises `OSError`; `NothingWritten` if the log is unchanged.
        """
        record = encode_record(self._generation, data)
        try:
            self._disk.append(self._name, record)
        except OSError as error:
            raise NothingWritten(str(error)) from error
        self._sync(self._name)
        self._disk.append(self._mark, encode_mark(Mark(self._generation, self.size_bytes + len(record))))
        self._marks += 1
        if self._marks % _MARKS_A_SYNC == 0:
            self._sync(self._mark)
        self.size_bytes += len(record)

    def replace(self, data: bytes) -> None:
        """Replace all records by one, atomically; it is durable when this returns. Raises `OSError`."""
        self._generation += 1
        record = encode_record(self._generation, data)
        self._disk.replace(self._name, record)
        # After a crash in between, the log's generation is higher than the mark's.
        self._disk.replace(self._mark, encode_mark(Mark(self._generation, len(record))))
        self.size_bytes, self._marks = len(record), 0
