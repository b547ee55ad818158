"""One item of a drill's faults that stands for several windows: random, Poisson, or one after another.

The windows are expanded before the start, from the run's seed alone, and stored with the run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from harness.model.errors import UsageError
from harness.model.fault import Fault, Window, milliseconds, window_of


@dataclass(frozen=True, kw_only=True)
class RandomFaults:
    """`windows` windows, each with a fault drawn from `faults`, one after another between `from_s` and `to_s`.

    Each lasts between `shortest_s` and `longest_s`.
    """

    faults: tuple[Fault, ...]
    windows: int
    from_s: float
    to_s: float
    shortest_s: float = 0.5
    longest_s: float = 2.0

    steady: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not self.faults:
            raise UsageError("RandomFaults(faults=()): give it at least one fault to draw from.")
        _check_lengths("RandomFaults", self.shortest_s, self.longest_s)
        if not (0 <= self.from_s <= self.to_s < math.inf):
            raise UsageError(f"RandomFaults(from_s={self.from_s:g}, to_s={self.to_s:g}): needs 0 <= from_s <= to_s.")
        room_ms = milliseconds(self.to_s) - milliseconds(self.from_s)
        if self.windows < 1 or self.windows * milliseconds(self.longest_s) > room_ms:
            raise UsageError(
                f"RandomFaults(windows={self.windows}): {self.windows} windows of up to {self.longest_s:g} s do not fit between"
                f" {self.from_s:g} s and {self.to_s:g} s. Ask for fewer or shorter ones."
            )

    def ends_s(self, load_s: float) -> float:
        return self.to_s

    def expand(self, random: Random, load_s: float) -> list[Window]:
        """The windows for one seed, in order, none overlapping."""
        from_ms, to_ms = milliseconds(self.from_s), milliseconds(self.to_s)
        lengths_ms = [_length_ms(random, self.shortest_s, self.longest_s) for _ in range(self.windows)]
        slack_ms = (to_ms - from_ms) - sum(lengths_ms)
        cuts_ms = sorted(random.randint(0, slack_ms) for _ in lengths_ms)
        windows, spent_ms = [], from_ms
        for cut_ms, length_ms in zip(cuts_ms, lengths_ms, strict=True):
            begin_ms = spent_ms + cut_ms
            fault = random.choice(self.faults)
            windows.append(window_of(fault, begin_ms, begin_ms + length_ms))
            spent_ms += length_ms
        return windows


@dataclass(frozen=True, kw_only=True)
class PoissonFaults:
    """Each fault begins `per_minute` times a minute on average, independently of the others, so windows overlap.

    Faults run from `from_s` until `quiet_s` before the load's end, however long the load is; the quiet time shows recovery.
    Each window lasts between `shortest_s` and `longest_s`. The pauses between the windows of one fault are exponentially
    distributed, as for independent failures. If none is drawn, one window is placed, so that no run is without a fault.
    """

    per_minute: Mapping[Fault, float]
    quiet_s: float
    from_s: float = 0.5
    shortest_s: float = 0.5
    longest_s: float = 2.0

    steady: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not self.per_minute:
            raise UsageError("PoissonFaults(per_minute={}): give it at least one fault and its rate, such as {Kill('one'): 6}.")
        _check_lengths("PoissonFaults", self.shortest_s, self.longest_s)
        if not (0 <= self.from_s < math.inf and 0 <= self.quiet_s < math.inf):
            raise UsageError(f"PoissonFaults(from_s={self.from_s:g}, quiet_s={self.quiet_s:g}): needs 0 or more of each.")
        for fault, rate in self.per_minute.items():
            if not 0 < rate < self._most_per_minute:
                raise UsageError(
                    f"PoissonFaults(per_minute={{{fault!r}: {rate:g}}}): needs more than 0 and less than"
                    f" {self._most_per_minute:.4g},"
                    f" at which windows of {self.shortest_s:g} to {self.longest_s:g} s leave no pause."
                )

    @property
    def faults(self) -> tuple[Fault, ...]:
        return tuple(self.per_minute)

    @property
    def _most_per_minute(self) -> float:
        return 120 / (self.shortest_s + self.longest_s)

    def ends_s(self, load_s: float) -> float:
        if milliseconds(self.from_s) + milliseconds(self.longest_s) > milliseconds(load_s) - milliseconds(self.quiet_s):
            raise UsageError(
                f"PoissonFaults(from_s={self.from_s:g}, quiet_s={self.quiet_s:g}): a window of {self.longest_s:g} s does not"
                f" fit in a load of {load_s:g} s. Ask for shorter windows, or raise load.seconds."
            )
        return load_s - self.quiet_s

    def expand(self, random: Random, load_s: float) -> list[Window]:
        """The windows for one seed, in order. Windows of the same fault do not overlap."""
        from_ms, end_ms = milliseconds(self.from_s), milliseconds(load_s) - milliseconds(self.quiet_s)
        windows = []
        for fault, rate in self.per_minute.items():
            pause_s = 60 / rate - 60 / self._most_per_minute
            at_ms = from_ms
            while True:
                at_ms += milliseconds(random.expovariate(1 / pause_s))
                length_ms = _length_ms(random, self.shortest_s, self.longest_s)
                if at_ms + length_ms > end_ms:
                    break
                windows.append(window_of(fault, at_ms, at_ms + length_ms))
                at_ms += length_ms
        if not windows:
            length_ms = _length_ms(random, self.shortest_s, self.longest_s)
            at_ms = random.randint(from_ms, end_ms - length_ms)
            [fault] = random.choices(self.faults, tuple(self.per_minute.values()))
            windows.append(window_of(fault, at_ms, at_ms + length_ms))
        return sorted(windows, key=lambda window: window.from_s)


@dataclass(frozen=True, kw_only=True)
class FaultSequence:
    """One fault after another from `from_s` on, in the order given: each holds for `each_s`, then `gap_s` passes without any.

    This is how a rolling restart goes through a cluster, or an outage from rack to rack.
    """

    faults: Sequence[Fault]
    from_s: float
    each_s: float
    gap_s: float = 0.0

    steady: ClassVar[bool] = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "faults", tuple(self.faults))
        if not self.faults:
            raise UsageError("FaultSequence(faults=[]): give it at least one fault.")
        if not (0 <= self.from_s < math.inf and 0.001 <= self.each_s < math.inf and 0 <= self.gap_s < math.inf):
            raise UsageError(
                f"FaultSequence(from_s={self.from_s:g}, each_s={self.each_s:g}, gap_s={self.gap_s:g}): needs from_s >= 0,"
                " each_s >= 0.001 and gap_s >= 0."
            )

    def ends_s(self, load_s: float) -> float:
        return self._begin_ms(len(self.faults)) / 1000 - milliseconds(self.gap_s) / 1000

    def expand(self, random: Random, load_s: float) -> list[Window]:
        each_ms = milliseconds(self.each_s)
        begins_ms = map(self._begin_ms, range(len(self.faults)))
        return [window_of(fault, at_ms, at_ms + each_ms) for fault, at_ms in zip(self.faults, begins_ms, strict=True)]

    def _begin_ms(self, number: int) -> int:
        return milliseconds(self.from_s) + number * (milliseconds(self.each_s) + milliseconds(self.gap_s))


def _length_ms(random: Random, shortest_s: float, longest_s: float) -> int:
    return random.randint(milliseconds(shortest_s), milliseconds(longest_s))


def _check_lengths(noun: str, shortest_s: float, longest_s: float) -> None:
    if not 0.001 <= shortest_s <= longest_s < math.inf:
        raise UsageError(f"{noun}(shortest_s={shortest_s:g}, longest_s={longest_s:g}): needs 0.001 <= shortest_s <= longest_s.")
