"""Files whose operations fail when a test says so."""

from __future__ import annotations

import errno

from harness.node.crashpoints import MemoryFiles


class FailingFiles(MemoryFiles):
    """Files in memory, of which some operations fail. As on Linux, what a failed sync should have written is lost for good."""

    def __init__(self) -> None:
        super().__init__()
        self.failing = ""
        self._lost: set[str] = set()

    def append(self, name: str, data: bytes) -> None:
        if self.failing == "append":
            super().append(name, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        super().append(name, data)

    def sync(self, name: str) -> None:
        if self.failing == "sync":
            self._lost.add(name)
            raise OSError(errno.EIO, "Input/output error")
        if name not in self._lost:
            super().sync(name)

    def sync_folder(self) -> None:
        if self.failing == "folder":
            raise OSError(errno.EIO, "Input/output error")
        super().sync_folder()
