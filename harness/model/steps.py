"""When a fault's window begins and ends, by the steps of a training."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.model.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Steps:
    """When a window begins and ends, counted in steps of the training."""

    begin: int
    """It begins as soon as this many steps are done: in the middle of step `begin`, the first step being 0."""
    end: int | None = None
    """It ends as soon as this many steps are done, …"""
    for_s: float | None = None
    """… or this many seconds after it began."""

    def __post_init__(self) -> None:
        if not all(isinstance(step, int | None) for step in (self.begin, self.end)):
            raise UsageError(f"A fault at {self}: needs whole numbers of steps.")
        if self.begin < 0 or (self.end is not None and self.end <= self.begin):
            raise UsageError(f"A fault at {self}: needs a first step of at least 0, and a later step to end at.")
        if self.for_s is not None and not 0.001 <= self.for_s < math.inf:
            raise UsageError(f"A fault at {self}: needs for_s >= 0.001.")

    def __str__(self) -> str:
        if self.end is not None:
            return f"steps {self.begin}–{self.end}"
        return f"step {self.begin}" if self.for_s is None else f"step {self.begin} for {self.for_s:g} s"
