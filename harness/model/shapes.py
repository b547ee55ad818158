"""How a load's rate changes over time. Every shape is in multiples of the load's rate, so one number scales them all."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TypeAlias

import msgspec

from harness.model.errors import UsageError

Points: TypeAlias = "list[tuple[float, float]]"
"""Seconds and multiples of the rate, joined by straight lines; two points at the same time are a jump."""


def _check(shape: msgspec.Struct, *, above: tuple[str, ...] = (), least: tuple[str, ...] = ()) -> None:
    for name in (*above, *least):
        value = getattr(shape, name)
        if not (isinstance(value, int | float) and math.isfinite(value) and (value > 0 or (value == 0 and name in least))):
            bound = "a number above 0" if name in above else "a number of at least 0"
            raise UsageError(f"{type(shape).__name__}({name}={value!r}): must be {bound}.")


class Ramp(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A linear change from one rate to another, which then stays."""

    start: float = 0.0
    end: float = 1.0
    over_s: float | None = None
    """How long the ramp takes; None: the whole load."""

    def __post_init__(self) -> None:
        _check(self, least=("start", "end"), above=() if self.over_s is None else ("over_s",))

    def points(self, seconds: float) -> Points:
        over_s = seconds if self.over_s is None else self.over_s
        return [(0.0, self.start), (over_s, self.end), (max(over_s, seconds), self.end)]


class Steps(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One rate after another, each for `every_s`; the last one stays."""

    factors: tuple[float, ...]
    every_s: float

    def __post_init__(self) -> None:
        _check(self, above=("every_s",))
        if not self.factors or not all(math.isfinite(factor) and factor >= 0 for factor in self.factors):
            raise UsageError(f"Steps(factors={self.factors!r}): must be one or more numbers of at least 0.")

    def points(self, seconds: float) -> Points:
        points: Points = []
        for number, factor in enumerate(self.factors):
            points += [(number * self.every_s, factor), ((number + 1) * self.every_s, factor)]
        return [*points, (max(seconds, points[-1][0]), self.factors[-1])]


class Spikes(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A peak of `for_s` seconds every `every_s` seconds, the first at `every_s`; the base rate between them."""

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
    """A sine around the load's rate, like daily traffic: up first, by up to `amplitude` times the rate either way."""

    amplitude: float
    period_s: float

    def __post_init__(self) -> None:
        _check(self, above=("period_s",), least=("amplitude",))
        if self.amplitude > 1:
            raise UsageError(f"Diurnal(amplitude={self.amplitude!r}): must be at most 1; there is no rate below 0.")


class Replay(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The arrival times of a recording. The load's rate and arrival process are not used; calls after the load's end are left
    out.

    `file` is a text with one time in seconds per line, or a recorded history (a run's folder, `.parquet`, `.csv`, `.jsonl` with
    `due_ns`). Times count from 0, not from the first call.
    """

    file: str
    speed: float = 1.0
    """2 replays in half the time."""

    def __post_init__(self) -> None:
        _check(self, above=("speed",))
        path = Path(self.file)
        if not path.exists():
            raise UsageError(f"Replay(file={self.file!r}): no such file.")
        msgspec.structs.force_setattr(self, "file", str(path.resolve()))  # the generator may have another working directory


Shape: TypeAlias = Ramp | Steps | Spikes | Diurnal | Replay
"""Tagged structs rather than dataclasses, because msgspec can read a union of them back from JSON."""
