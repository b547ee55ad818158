"""The rule of health checks: there is a pause between two checks of one replica, whatever came of the first.

A checker that does not pause floods a replica just when that is in trouble, and one that a few failed checks take down is down
in a moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from systems.serving.health import INTERVAL_S

_ROUNDING_S: Final = 1e-3


class CheckRules:
    """When a check ended is seen only at the next look, so that the pause is bounded from above."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, int, float]] = {}
        """By replica: when it was looked at last, how many checks there had been, and a time after which the last one ended."""

    def look(self, now_s: float, name: str, checks: int) -> Iterator[str]:
        """What is wrong by now; `checks` of this replica have ended so far."""
        looked_s, before, ended_after_s = self._seen.get(name, (now_s, checks, -float("inf")))
        if checks == before:
            self._seen[name] = (now_s, before, ended_after_s)
            return
        # The checks since the last look ended after it; the one before them ended after `ended_after_s`.
        pauses = checks - before
        longest_s = now_s - ended_after_s
        self._seen[name] = (now_s, checks, looked_s)
        if longest_s < pauses * INTERVAL_S - _ROUNDING_S:
            yield f"{name} was checked {pauses + 1} times within {longest_s:.3f} s, without pauses of {INTERVAL_S:g} s between"
