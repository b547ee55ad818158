"""Files that freeze the thread that uses them, between any two of its operations."""

from __future__ import annotations

import threading
from pathlib import Path

from harness.node.files import Files


class FreezingFiles(Files):
    """Files that freeze their user before the `nth` operation from now on, until it thaws.

    Nothing is really synced, which is quick and makes no difference to other processes.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.nth = 0
        self.frozen, self.thawed = threading.Event(), threading.Event()

    def append(self, name: str, data: bytes) -> None:
        self._count()
        super().append(name, data)

    def truncate(self, name: str, length: int) -> None:
        self._count()
        super().truncate(name, length)

    def sync(self, name: str) -> None:
        self._count()

    def rename(self, name: str, new: str) -> None:
        self._count()
        super().rename(name, new)

    def sync_folder(self) -> None:
        self._count()

    def _count(self) -> None:
        self.nth -= 1
        if self.nth == 0:
            self.frozen.set()
            assert self.thawed.wait(60)
