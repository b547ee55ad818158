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
"""Marks are synced so many at a time, which costs the records no second sync. A power loss may take the last marks, not the
records, which are synced by themselves. Only if such a record is then damaged, and looks torn, is it taken for torn."""


class NothingWritten(OSError):
    """A record that the disk did not take, of which nothing is left there."""


class RecordLog:
    """Records in the order in which they were appended: a file `name`, and `mark`, which says how much of it lasts.

    Read it once with `load`, and `replace` it before anything is appended: what was read may be in the kernel's memory only,
    and what is built upon it must last. A sync is not enough for that, since the node's last life may have seen one fail.
    After an `OSError` that is not `NothingWritten` it is not known what is on the disk, and a later sync that succeeds would
    not tell: `replace` it then.
    """

    def __init__(self, disk: Disk, *, name: str, mark: str, sync: Callable[[str], None] | None = None) -> None:
        """`sync` is what syncs a file by its name, if it is not the disk's own."""
        self._disk = disk
        self._name = name
        self._mark = mark
        self._sync = sync or disk.sync
        self._generation = self._marks = 0
        self.size_bytes = 0
        """How long the file is."""

    def load(self, *, existed: bool = False) -> Log:
        """What the files tell. Raises `Damaged` if that is not all that was ever acknowledged.

        `existed` says that there must be a log, whatever became of its files.
        """
        data, marks = self._disk.read(self._name), self._disk.read(self._mark)
        mark = None if marks is None else decode_marks(marks)
        if mark is not None:
            self._generation = mark.generation
        if data is None:
            if mark is not None or existed:  # it was there before its mark was
                raise Damaged("the log is lost")
            return Log(generation=0, records=[], torn_bytes=0)
        log = decode_log(data, mark)
        self._generation = max(self._generation, log.generation)
        return log

    def readable(self) -> list[bytes]:
        """Whatever can be read of a damaged log. It is not what was acknowledged."""
        return readable(self._disk.read(self._name) or b"")

    def append(self, data: bytes) -> None:
        """One record, which has no line ends; it lasts when this returns. Blocks for one sync.

        Raises `OSError`; `NothingWritten` if the log is what it was.
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
        """One record in place of all others, atomically; it lasts when this returns. Raises `OSError`."""
        self._generation += 1
        record = encode_record(self._generation, data)
        self._disk.replace(self._name, record)
        # After a crash in between, the log's generation is above the mark's.
        self._disk.replace(self._mark, encode_mark(Mark(self._generation, len(record))))
        self.size_bytes, self._marks = len(record), 0
