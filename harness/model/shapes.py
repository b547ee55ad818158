"""How a load's rate changes while it lasts. Every shape is in multiples of the load's rate, so one number scales them all."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TypeAlias

import msgspec

from harness.model.errors import UsageError

Points: TypeAlias = "list[tuple[float, float]]"
"""Seconds and multiples of the rate, joined by straight lines; two points of one time are a jump."""


def _check(shape: msgspec.Struct, *, above: tuple[str, ...] = (), least: tuple[str, ...] = ()) -> None:
    for name in (*above, *least):
        value = getattr(shape, name)
        if not (isinstance(value, int | float) and math.isfinite(value) and (value > 0 or (value == 0 and name in least))):
            bound = "a number above 0" if name in above else "a number of at least 0"
            raise UsageError(f"{type(shape).__name__}({name}={value!r}): must be {bound}.")


class Ramp(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """From one rate evenly to another, which then stays."""

    start: float = 0.0
    end: float = 1.0
    over_s: float | None = None
    """How long it takes; all of the load if None."""

    def __post_init__(self) -> None:
        _check(self, least=("start", "end"), above=() if self.over_s is None else ("over_s",))

    def points(self, seconds: float) -> Points:
        over_s = seconds if self.over_s is None else self.over_s
        return [(0.0, self.start), (over_s, self.end), (max(over_s, seconds), self.end)]


class Steps(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One rate after another, each for as long; the last one stays."""

    factors: tuple[float, ...]
    every_s: float

    def __post_init__(self) -> None:
        _check(self, above=("every_s",))
        if not self.factors or not all(math.isfinite(factor) and factor >= 0 for factor in self.factors):
            raise UsageError(f"Steps(factors={self.factors!r}): must be numbers of at least 0, one or more.")

    def points(self, seconds: float) -> Points:
        points: Points = []
        for number, factor in enumerate(self.factors):
            points += [(number * self.every_s, factor), ((number + 1) * self.every_s, factor)]
        return [*points, (max(seconds, points[-1][0]), self.factors[-1])]


class Spikes(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A peak of `for_s` seconds at `every_s`, again at twice that, and so on; the base rate between them."""

    base: float = 1.0
    peak: float
    every_s: float
    for_s: float

    def __post_init__(self) -> None:
        _check(self, above=("every_s", "for_s"), least=("base", "peak"))
        if not 0.001 <= self.for_s < self.every_s:
            raise UsageError(f"Spikes(for_s={self.for_s!r}): must be from 1 ms to less than every_s={self.every_s!r}.")

    def points(self, seconds: float) -> Points:
        points: Points = [(0.0, self.base)]
        for number in range(1, int(seconds / self.every_s) + 1):
            from_s, to_s = number * self.every_s, number * self.every_s + self.for_s
            points += [(from_s, self.base), (from_s, self.peak), (to_s, self.peak), (to_s, self.base)]
        return [*points, (max(seconds, points[-1][0]), self.base)]


class Diurnal(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A sine around the load's rate, as traffic follows the day: up first, `amplitude` of the rate to either side."""

    amplitude: float
    period_s: float

    def __post_init__(self) -> None:
        _check(self, above=("period_s",), least=("amplitude",))
        if self.amplitude > 1:
            raise UsageError(f"Diurnal(amplitude={self.amplitude!r}): must be at most 1; there is no rate below 0.")


class Replay(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """When calls fell due once before. The load's rate and arrival process are not used; what is later than its end
    is left out.

    `file` is a text of one time in seconds a line, or a recorded history (a run's folder, `.parquet`, `.csv`, `.jsonl` with
    `due_ns`). Times count from the first line's 0, not from the first call.
    """

    file: str
    speed: float = 1.0
    """2 replays in half the time."""

    def __post_init__(self) -> None:
        _check(self, above=("speed",))
        path = Path(self.file)
        if not path.exists():
            raise UsageError(f"Replay(file={self.file!r}): there is no such file.")
        msgspec.structs.force_setattr(self, "file", str(path.resolve()))  # the generator may have another working directory


Shape: TypeAlias = Ramp | Steps | Spikes | Diurnal | Replay
"""Tagged structs and not dataclasses, because a union of these can be read back from JSON."""
