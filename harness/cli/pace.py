"""How far a series of drills is, and how much longer it may take."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

_FIRST_OVERHEAD_S: Final = 2.0
"""Starting, final calls and stopping of a drill, before any was measured."""


class Pace:
    """Drills of known load, one after another. The time left is their loads', and for each what the others took besides."""

    def __init__(self, loads_s: Sequence[float], clock: Callable[[], float] = time.monotonic) -> None:
        self._loads_s = loads_s
        self._clock = clock
        self._done = 0
        self._overhead_s = 0.0
        self._begun_s = clock()

    def next_done(self) -> None:
        """One more drill is over, however it ended."""
        now_s = self._clock()
        self._overhead_s += max(now_s - self._begun_s - self._loads_s[self._done], 0.0)
        self._done += 1
        self._begun_s = now_s

    @property
    def left_s(self) -> float:
        """An estimate of the time until all are over, from the start of the next."""
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
