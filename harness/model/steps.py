"""The part of a fault's window that the progress of a training decides."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.model.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Steps:
    """When a window begins and ends, counted in steps of the training."""

    begin: int
    """It begins as soon as so many steps are done: in the middle of step `begin`, the first step being 0."""
    end: int | None = None
    """It ends as soon as so many are done, …"""
    for_s: float | None = None
    """… or so many seconds after it began."""

    def __post_init__(self) -> None:
        if self.begin < 0 or (self.end is not None and self.end <= self.begin):
            raise UsageError(f"A fault at {self}: it begins at step 0 or later, and ends at a later step than it begins.")
        if self.for_s is not None and not 0.001 <= self.for_s < math.inf:
            raise UsageError(f"A fault at {self}: for_s is at least 0.001.")

    def __str__(self) -> str:
        if self.end is not None:
            return f"steps {self.begin}–{self.end}"
        return f"step {self.begin}" if self.for_s is None else f"step {self.begin} for {self.for_s:g} s"
