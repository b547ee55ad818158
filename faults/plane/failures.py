"""Failed connections of a proxy: counted by reason and logged."""

from __future__ import annotations

from collections import Counter

from faults.plane.log import Log


class Failures:
    """The failed connections of one proxy."""

    def __init__(self, proxy: str) -> None:
        self.by_reason: Counter[str] = Counter()
        self._log = Log(f"proxy {proxy!r}")

    def add(self, reason: str, message: str) -> None:
        """Record a failure. `reason` is a label of a metric, one of a few short texts; `message` goes to the log."""
        self.by_reason[reason] += 1
        self._log.say(message)
