"""When calls fall due: fixed before the run, so that nothing the system does can change its load.

A changing rate is drawn by inverting its integral (Çinlar, "Introduction to Stochastic Processes", 1975, 4.7): a process of
rate one is drawn, and its times are mapped to those at which the integral of the rate reaches them. This is exact for any rate;
thinning would waste draws, and fixed time steps would blur the times.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.model.errors import UsageError
from harness.model.shapes import Diurnal, Points, Replay

if TYPE_CHECKING:
    from harness.model.load import Load

Floats = NDArray[np.float64]
BLOCK: Final = 1 << 16
"""Calls drawn at a time: half a megabyte."""


def due_ns(load: Load, random: Random | np.random.Generator) -> NDArray[np.int64]:
    """Due times in nanoseconds after the load's start, ascending, all before its end."""
    return np.concatenate([np.empty(0, np.int64), *blocks(load, random)])


def blocks(load: Load, random: Random | np.random.Generator, size: int = BLOCK) -> Iterator[NDArray[np.int64]]:
    """The same times, at most `size` at once, drawn when they are needed, so that a long load needs no memory for them."""
    if isinstance(load.shape, Replay):
        times = _recorded_ns(load.shape, load.seconds)
        yield from (times[at : at + size] for at in range(0, len(times), size))
        return
    generator = np.random.default_rng(random.getrandbits(128)) if isinstance(random, Random) else random
    curve = _curve(load)
    total = curve.total * load.rate
    for block in _even(total, size) if load.arrivals == "constant" else _poisson(total, size, generator):
        yield np.rint(curve.inverse(block / load.rate) * 1e9).astype(np.int64)


def expected(load: Load) -> float:
    """How many calls a load makes: exact for constant arrivals and for a replay, the mean for Poisson arrivals."""
    if isinstance(load.shape, Replay):
        return float(len(_recorded_ns(load.shape, load.seconds)))
    return _curve(load).total * load.rate


def _even(total: float, size: int) -> Iterator[Floats]:
    count = round(total)
    for first in range(0, count, size):
        yield np.arange(first, min(first + size, count), dtype=np.float64)


def _poisson(total: float, size: int, random: np.random.Generator) -> Iterator[Floats]:
    at = 0.0
    while True:
        gaps = random.standard_exponential(size)
        gaps[0] += at
        times = np.cumsum(gaps)
        if times[-1] >= total:
            if len(last := times[times < total]):
                yield last
            return
        yield times
        at = float(times[-1])


class _Curve(Protocol):
    """A rate in multiples of the load's rate; its integral over the load is `total`."""

    total: float

    def inverse(self, area: Floats) -> Floats:
        """The seconds at which the integral reaches each `area`."""


def _curve(load: Load) -> _Curve:
    if load.shape is None:
        return _Flat(load.seconds)
    if isinstance(load.shape, Diurnal):
        return _Sine(load.shape, load.seconds)
    if isinstance(load.shape, Replay):
        raise TypeError("a replay has times and no rate")
    return _Piecewise(load.shape.points(load.seconds), load.seconds)


class _Flat:
    def __init__(self, seconds: float) -> None:
        self.total = seconds

    def inverse(self, area: Floats) -> Floats:
        return area


class _Piecewise:
    """Straight lines between points: the integral of each is a parabola, which is inverted in closed form."""

    def __init__(self, points: Points, seconds: float) -> None:
        lines = [(*one, *other) for one, other in itertools.pairwise(points) if other[0] > one[0]]
        self._from_s, self._from, to_s, to = (np.array(column, np.float64) for column in zip(*lines, strict=True))
        self._slope = (to - self._from) / (to_s - self._from_s)
        areas = (self._from + to) / 2 * (to_s - self._from_s)
        self._area = np.concatenate(([0.0], np.cumsum(areas)[:-1]))
        last = int(np.searchsorted(self._from_s, seconds, "right")) - 1
        into_s = min(seconds, float(to_s[last])) - self._from_s[last]
        self.total = float(self._area[last] + (self._from[last] + self._slope[last] * into_s / 2) * into_s)

    def inverse(self, area: Floats) -> Floats:
        line = (
            np.searchsorted(self._area, area, "right") - 1
        )  # the last of several lines without area: when the rate is on again
        rest, rate = area - self._area[line], self._from[line]
        divisor = rate + np.sqrt(np.maximum(rate * rate + 2 * self._slope[line] * rest, 0))
        into_s = np.divide(2 * rest, divisor, out=np.zeros_like(rest), where=divisor > 0)
        seconds: Floats = self._from_s[line] + into_s
        return seconds


class _Sine:
    """1 + amplitude * sin: its integral has no inverse in closed form, so it is inverted by bisection, to the last bit."""

    def __init__(self, shape: Diurnal, seconds: float) -> None:
        self._amplitude, self._turn_s = shape.amplitude, shape.period_s / (2 * math.pi)
        self._seconds = seconds
        self.total = float(self._integral(np.array([seconds]))[0])

    def _integral(self, at_s: Floats) -> Floats:
        area: Floats = at_s + self._amplitude * self._turn_s * (1 - np.cos(at_s / self._turn_s))
        return area

    def inverse(self, area: Floats) -> Floats:
        # The integral lies between t and t + 2 * amplitude * turn, which bounds the time at which it reaches an area.
        low, high = np.maximum(area - 2 * self._amplitude * self._turn_s, 0), np.minimum(area, self._seconds)
        for _ in range(64):
            middle = (low + high) / 2
            below = self._integral(middle) < area
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return high


def _recorded_ns(shape: Replay, seconds: float) -> NDArray[np.int64]:
    path = Path(shape.file)
    if path.is_dir() or path.suffix in (".parquet", ".csv", ".jsonl"):
        from results.record.histories import load_history  # pandas takes its time

        recorded = load_history(path).load["due_ns"].to_numpy().astype(np.float64)
    else:
        recorded = np.array([_seconds(line, path, number) for number, line in enumerate(_lines(path), 1) if line.strip()]) * 1e9
    times = np.sort(np.rint(recorded / shape.speed)).astype(np.int64)
    return times[times < round(seconds * 1e9)]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"Cannot read {path}: {error}.") from error


def _seconds(line: str, path: Path, number: int) -> float:
    try:
        at_s = float(line)
    except ValueError:
        at_s = -1.0
    if not 0 <= at_s < 1e9:
        raise UsageError(f"{path}, line {number}: expected a time in seconds, at least 0, found {line.strip()[:40]!r}.")
    return at_s
