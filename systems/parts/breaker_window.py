"""A sliding window over the outcomes of calls: a ring of buckets, each for a slice of time, and their sums."""

from __future__ import annotations

import math
from copy import copy


class Window:
    """Counts over the last `span_s` seconds, accurate to one of its `buckets`. An infinite span forgets nothing.

    Times passed in must not go back. Adding a call takes constant time.
    """

    __slots__ = ("_at", "_counts", "_width_s", "calls", "failed", "slow")

    def __init__(self, span_s: float, buckets: int) -> None:
        self._width_s = span_s / buckets
        self._counts = [(0, 0, 0)] * buckets
        self._at: int | None = None
        self.calls = 0
        self.failed = 0
        self.slow = 0

    def copy(self) -> Window:
        """A window with the same calls."""
        other = copy(self)
        other._counts = list(self._counts)
        return other

    def slide(self, now_s: float) -> None:
        """Forget the calls that are too old by now."""
        at = 0 if math.isinf(self._width_s) else int(now_s // self._width_s)
        if at == self._at:
            return
        if self._at is not None and self.calls:
            counts = self._counts
            for turn in range(self._at + 1, min(at, self._at + len(counts)) + 1):
                calls, failed, slow = counts[turn % len(counts)]
                self.calls -= calls
                self.failed -= failed
                self.slow -= slow
                counts[turn % len(counts)] = (0, 0, 0)
        self._at = at

    def add(self, now_s: float, *, failed: bool, slow: bool) -> None:
        """Add a call that ended now."""
        self.slide(now_s)
        assert self._at is not None  # noqa: S101 - it was set a line above
        place = self._at % len(self._counts)
        calls, failures, slows = self._counts[place]
        self._counts[place] = (calls + 1, failures + failed, slows + slow)
        self.calls += 1
        self.failed += failed
        self.slow += slow
