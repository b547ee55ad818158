"""Progress of a series of drills, and an estimate of the time left."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

_FIRST_OVERHEAD_S: Final = 2.0
"""Time to start a drill, make its final calls and stop it, until one has been measured."""


class Pace:
    """Drills of known length in sequence. The time left is that of their loads, plus the mean overhead of the drills so far."""

    def __init__(self, loads_s: Sequence[float], clock: Callable[[], float] = time.monotonic) -> None:
        self._loads_s = loads_s
        self._clock = clock
        self._done = 0
        self._overhead_s = 0.0
        self._begun_s = clock()

    def next_done(self) -> None:
        """A drill has ended, in whatever way."""
        now_s = self._clock()
        self._overhead_s += max(now_s - self._begun_s - self._loads_s[self._done], 0.0)
        self._done += 1
        self._begun_s = now_s

    @property
    def left_s(self) -> float:
        """An estimate of the time from the start of the next drill until all are over."""
        overhead_s = self._overhead_s / self._done if self._done else _FIRST_OVERHEAD_S
        return sum(self._loads_s[self._done :]) + overhead_s * (len(self._loads_s) - self._done)

    @property
    def left(self) -> str:
        """ "about 50 s left", "about 12 min left", "about 3.5 h left"."""
        left_s = self.left_s
        if left_s < 100:
            return f"about {left_s:.0f} s left"
        return f"about {left_s / 60:.0f} min left" if left_s < 6000 else f"about {left_s / 3600:.1f} h left"

    def __str__(self) -> str:
        """ "[3/22] about 50 s left": which drill is next, of how many; empty if there is only one."""
        if len(self._loads_s) < 2:
            return ""
        return f"[{self._done + 1}/{len(self._loads_s)}] {self.left}"
