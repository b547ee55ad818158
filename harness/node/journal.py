"""A node's journal: what it writes for the harness, to be judged by, beside what it keeps for itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Protocol

FILE: Final = "records.jsonl"
"""Its name in the node's folder."""


class Journal(Protocol):
    """What a node appends is there at once, even if its process is killed right after. No fault of its disk acts on it."""

    def append(self, data: bytes) -> None: ...


class FileJournal:
    """A journal in a real file, where it follows that of earlier starts."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def append(self, data: bytes) -> None:
        """Write, and do not sync: the kernel has the data if the process is killed. Threads may write at once."""
        os.write(self._file, data)
