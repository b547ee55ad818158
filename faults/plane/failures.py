"""Failed connections of a proxy: counted by reason and logged."""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import Final

_QUIET_S: Final = 1.0
"""At most one line is logged in this time. The next line says how many were left out."""


class Failures:
    """The failed connections of one proxy."""

    def __init__(self, proxy: str) -> None:
        self.by_reason: Counter[str] = Counter()
        self._proxy = proxy
        self._quiet_until_s = 0.0
        self._left_out = 0

    def add(self, reason: str, message: str) -> None:
        """Record a failure. `reason` is a label of a metric, one of a few short texts; `message` goes to the log."""
        self.by_reason[reason] += 1
        now_s = time.monotonic()
        if now_s < self._quiet_until_s:
            self._left_out += 1
            return
        more = f" ({self._left_out} more since the last such line)" if self._left_out else ""
        print(f"{time.strftime('%H:%M:%S')} proxy {self._proxy!r}: {message}{more}", file=sys.stderr, flush=True)
        self._quiet_until_s, self._left_out = now_s + _QUIET_S, 0
