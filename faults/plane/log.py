"""Lines on standard error."""

from __future__ import annotations

import contextlib
import select
import sys
import time
from typing import Final

_QUIET_S: Final = 1.0
_MOST_CHARACTERS: Final = 900
"""Even if each takes four bytes, a line fits into the 4,096 bytes that a writable pipe takes at once (POSIX: `PIPE_BUF`)."""


class Log:
    """Writes about one subject, at most one line a second, and only if writing does not block.

    A line says how many were left out since the last one. A reader that is slow or gone never holds the server up.
    """

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._quiet_until_s = 0.0
        self._left_out = 0

    def say(self, message: str) -> None:
        now_s = time.monotonic()
        if now_s < self._quiet_until_s or not _is_writable():
            self._left_out += 1
            return
        more = f" ({self._left_out} more since the last such line)" if self._left_out else ""
        line = f"{time.strftime('%H:%M:%S')} {self._subject}: {message}"
        with contextlib.suppress(OSError):
            print(f"{line[:_MOST_CHARACTERS]}{more}", file=sys.stderr, flush=True)
        self._quiet_until_s, self._left_out = now_s + _QUIET_S, 0


def _is_writable() -> bool:
    poll = select.poll()
    try:
        poll.register(sys.stderr.fileno(), select.POLLOUT)
    except (OSError, ValueError):
        return False  # it is closed
    return [events for _, events in poll.poll(0)] == [select.POLLOUT]
