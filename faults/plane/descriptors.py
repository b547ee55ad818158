"""File descriptors. A reserve is kept for the API.

When connections have used up all others, the API can still accept clients and start proxies, so the fault that used them up
can be removed.
"""

from __future__ import annotations

import contextlib
import errno
import resource
from collections.abc import Iterator
from typing import Final

RESERVED: Final = 64
"""Size of the reserve; a quarter of the limit if that is below 256."""

SHORTAGES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Error numbers of calls that could not get a descriptor."""


class Descriptors:
    """Lowers the process's limit by the reserve, and raises it again while the reserve may be used."""

    def __init__(self) -> None:
        _, self.most = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._ordinary = self.most - min(RESERVED, self.most // 4)
        self._limit_to(self._ordinary)

    @contextlib.contextmanager
    def reserve(self) -> Iterator[None]:
        """Within this context, new descriptors may come from the reserve."""
        self._limit_to(self.most)
        try:
            yield
        finally:
            self._limit_to(self._ordinary)

    def _limit_to(self, count: int) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, self.most))
