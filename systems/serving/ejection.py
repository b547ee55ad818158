"""Ejection: a replica with consecutive failures is left out, longer each time.

After Envoy's outlier detection (consecutive errors, `base_ejection_time`, `max_ejection_percent`), with times that double.
"""

from __future__ import annotations

from typing import Final

from systems.serving.settings import Settings

FALL_REQUESTS: Final = 3
"""This many consecutive failed requests eject a replica."""


class Ejection:
    """One replica's consecutive failures, and until when it is ejected."""

    __slots__ = ("_base_s", "_in_row", "_longest_s", "count", "until_s")

    def __init__(self, settings: Settings) -> None:
        self._base_s = settings.ejection_ms / 1e3
        self._longest_s = settings.longest_ejection_ms / 1e3
        self._in_row = 0
        self.count = 0
        """How many ejections determine the length of the next one."""
        self.until_s: float | None = None
        """When it may return; None if it is not ejected."""

    def answered(self) -> None:
        self._in_row = 0

    def failed(self, requests: int) -> bool:
        """Requests failed; True if the replica should be ejected."""
        self._in_row += requests
        return self._in_row >= FALL_REQUESTS

    def eject(self, now_s: float, returned_s: float) -> None:
        """Eject the replica from now on. `returned_s`: when it last came up."""
        if now_s - returned_s > self._longest_s:
            self.count = 0
        self.until_s = now_s + min(self._longest_s, self._base_s * 2**self.count)
        self.count = min(self.count + 1, 30)

    def over(self, now_s: float) -> bool:
        return self.until_s is None or now_s >= self.until_s

    def end(self) -> None:
        self.until_s = None
        self._in_row = 0
