"""A disk that is full for a while."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from harness.node.disk import Disk


class DiskThatFills(Disk):
    """Refuses to replace files while it is `full`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.full = False

    def replace(self, name: str, data: bytes, *, check: Callable[[], None] = lambda: None) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().replace(name, data, check=check)
