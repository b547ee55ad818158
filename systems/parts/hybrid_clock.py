"""A hybrid logical clock: timestamps close to the time of day that respect causality, even if wall clocks are wrong.

S. Kulkarni, M. Demirbas, D. Madappa, B. Avva, M. Leone, "Logical Physical Clocks", OPODIS 2014, figure 5: `time_us` is their
`l`, the highest physical time seen, and `count` their `c`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

MOST_AHEAD_US: Final = 60_000_000


class Timestamp(msgspec.Struct, frozen=True, order=True, array_like=True):
    """The time of a write. One clock never repeats a timestamp; the node's name breaks ties between clocks."""

    time_us: int = 0
    count: int = 0
    node: str = ""


class TooFarAhead(Exception):
    """A timestamp that no correct clock can have issued yet."""


class HybridClock:
    """One node's clock. Each timestamp that it issues is above all that it has issued or observed."""

    def __init__(self, node: str, read_us: Callable[[], int], *, most_ahead_us: int = MOST_AHEAD_US) -> None:
        """`read_us` reads a wall clock, which may be wrong and may go back."""
        self._node = node
        self._read_us = read_us
        self._most_ahead_us = most_ahead_us
        self._time_us = self._count = 0

    def now(self) -> Timestamp:
        """The timestamp of an event here, such as a write. O(1)."""
        time_us = self._read_us()
        if time_us > self._time_us:
            self._time_us, self._count = time_us, 0
        else:
            self._count += 1
        return Timestamp(self._time_us, self._count, self._node)

    def observe(self, stamp: Timestamp) -> None:
        """Observe a timestamp that was received or read back from disk. O(1)."""
        if (stamp.time_us, stamp.count) > (self._time_us, self._count):
            self._time_us, self._count = stamp.time_us, stamp.count

    def standing_still(self) -> HybridClock:
        """A clock that continues this one by itself, while the wall clock shows the time of the last timestamp all along."""
        time_us = self._time_us
        other = type(self)(self._node, lambda: time_us, most_ahead_us=self._most_ahead_us)
        other._time_us, other._count = self._time_us, self._count
        return other

    def check(self, stamp: Timestamp) -> None:
        """Raise `TooFarAhead` if no correct clock can have issued it: observing it would move all other clocks ahead."""
        ahead_us = stamp.time_us - max(self._read_us(), self._time_us)
        if ahead_us > self._most_ahead_us:
            raise TooFarAhead(
                f"a timestamp of {stamp.node} is {ahead_us / 1e6:.3f} s ahead of this node's clock, and at most"
                f" {self._most_ahead_us / 1e6:g} s are taken: one of the two clocks is wrong"
            )
