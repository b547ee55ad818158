"""File descriptors: as many as the system allows, the last of them kept for the API.

When connections have used up the others, the API still accepts clients and starts proxies, so that the fault which used them
up can be removed.
"""

from __future__ import annotations

import contextlib
import errno
import resource
from collections.abc import Iterator
from typing import Final

RESERVED: Final = 64
"""Descriptors kept for the API; a quarter of them all if there are fewer than 256."""

SHORTAGES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Errors of a call that found no descriptor, or no memory for one."""


class Descriptors:
    """Lowers this process's limit by the reserve, and raises it while the reserve is in use."""

    def __init__(self) -> None:
        _, self.most = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._ordinary = self.most - min(RESERVED, self.most // 4)
        self._limit_to(self._ordinary)

    @contextlib.contextmanager
    def reserve(self) -> Iterator[None]:
        """What is opened meanwhile may come from the reserve."""
        self._limit_to(self.most)
        try:
            yield
        finally:
            self._limit_to(self._ordinary)

    def _limit_to(self, count: int) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, self.most))
