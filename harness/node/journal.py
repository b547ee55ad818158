"""A node's journal: what it writes for the harness, to be judged by, beside what it keeps for itself."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Final, Protocol

FILE: Final = "records.jsonl"
"""Its name in the node's folder."""


class Journal(Protocol):
    """What a node appends is there at once, even if its process is killed right after. No fault of its disk acts on it."""

    def append(self, data: bytes) -> None: ...


class FileJournal:
    """A journal of lines in a real file, where it follows that of earlier starts.

    A process that is killed while it writes may leave the beginning of a line, which the next start removes.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if os.fstat(self._file).st_size:
            with mmap.mmap(self._file, 0, access=mmap.ACCESS_READ) as earlier:
                whole = earlier.rfind(b"\n") + 1
            os.ftruncate(self._file, whole)

    def append(self, data: bytes) -> None:
        """Write, and do not sync: the kernel has the data if the process is killed. Threads may write at once."""
        os.write(self._file, data)
