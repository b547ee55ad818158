"""Made-up nights with the noise of real machines: autocorrelation, two moods, outliers, weekly cycles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from results.trends.series import Better, Metric, Point, Series

BEGAN = datetime(2025, 1, 6, 2, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Noise:
    """The noise of a metric; sizes are relative, as of a logarithm."""

    night: float = 0.008
    """Standard deviation from night to night, which all runs of a night share."""
    run: float = 0.015
    """Standard deviation from run to run within a night."""
    correlation: float = 0.2
    """Of a night with the next."""
    moods: float = 0.0
    """How much slower a machine of the other kind is."""
    moody: float = 0.3
    """How often a night gets such a machine."""
    outlier: float = 0.015
    """How often a night is disturbed, for the worse."""
    outlier_size: float = 0.08
    """The mean size of a disturbance, exponentially distributed."""
    week: float = 0.0
    """How much slower the two nights of a weekend are."""
    degrees: float = np.inf
    """Of freedom of Student's t, which nights follow; they are normal if infinite."""


QUIET = Noise()
CORRELATED = Noise(correlation=0.5)
BIMODAL = Noise(moods=0.08)
DISTURBED = Noise(outlier=0.05, outlier_size=0.15)
WEEKLY = Noise(week=0.02)
KINDS = {"quiet": QUIET, "correlated": CORRELATED, "bimodal": BIMODAL, "disturbed": DISTURBED, "weekly": WEEKLY}

SHARED = Noise(night=0.15, run=0.1, outlier=0.02, outlier_size=0.3)
"""Of a machine that others use as well: nights differ by a factor of 1.2 or so."""
SHARED_KINDS = {
    "shared": SHARED,
    "correlated": replace(SHARED, correlation=0.6),
    "bimodal": replace(SHARED, moods=0.4),
    "disturbed": replace(SHARED, outlier=0.05, outlier_size=0.5),
    "heavy tails": replace(SHARED, degrees=3),
}
SUITE_METRICS: dict[str, tuple[str, Better, float, float]] = {
    "p50": ("ms", "lower", 2.2, 1),
    "p99": ("ms", "lower", 17, 1.5),
    "p99.9": ("ms", "lower", 25, 2),
    "cpu": ("s", "lower", 0.25, 0.5),
    "memory": ("MiB", "lower", 97, 0.02),
    "rate": ("1/s", "higher", 40, -0.02),
}
"""Unit, what is better, level, and how many times the noise of p50 each has. Availability comes on top."""
_CALLS = 200


def suite(noise: Noise, nights: int, random: np.random.Generator, *, slower: float = 1, since: int = 0) -> list[Series]:
    """A short suite: two drills, seven metrics, two runs a night. Half of the variance is one mood of the night for all.

    `slower` is a factor of both drills' p50 from the night `since` on.
    """
    mood = relative(noise, (1, nights, 1), random)[0]
    made = []
    for drill in ("d/one", "d/two"):
        for name, (unit, better, level, noisy) in SUITE_METRICS.items():
            own = relative(noise, (1, nights, 2), random)[0]
            values = level * np.exp(noisy * (mood + own) / np.sqrt(2))
            if name == "p50":
                values[since:] *= slower
            made.append(series_of(values, drill=drill, name=name, unit=unit, better=better))
        done = 1 - random.poisson(0.02, (nights, 2)) / _CALLS
        made.append(series_of(done, drill=drill, name="availability", unit="", better="higher"))
    return made


def until(series: Series, nights: int) -> Series:
    """Its first nights."""
    return replace(series, points=series.points[:nights])


def relative(noise: Noise, shape: tuple[int, int, int], random: np.random.Generator) -> NDArray[np.float64]:
    """Noise for a number of series, nights and runs, as logarithms."""
    count, nights, _ = shape
    steps = random.normal(size=(count, nights)) * noise.night
    if np.isfinite(noise.degrees):
        steps *= np.sqrt((noise.degrees - 2) / random.chisquare(noise.degrees, (count, nights)))
    moved = np.empty_like(steps)
    moved[:, 0] = steps[:, 0]
    fresh = np.sqrt(1 - noise.correlation**2)
    for night in range(1, nights):
        moved[:, night] = noise.correlation * moved[:, night - 1] + fresh * steps[:, night]
    moved += noise.moods * (random.random((count, nights)) < noise.moody)
    moved += (random.random((count, nights)) < noise.outlier) * random.exponential(noise.outlier_size, (count, nights))
    moved += noise.week * (np.arange(nights) % 7 >= 5)
    return moved[:, :, None] + random.normal(size=shape) * noise.run


def series_of(
    values: NDArray[np.float64], *, drill: str = "made/up", name: str = "p50", unit: str = "ms", better: Better = "lower"
) -> Series:
    """A series from values of nights × runs."""
    metric = Metric(name=name, unit=unit, better=better)
    points = tuple(
        Point(
            night=f"night-{at:04}",
            began_utc=BEGAN + timedelta(days=at),
            commit=f"{at:012x}",
            values=tuple(float(value) for value in np.atleast_1d(runs)),
        )
        for at, runs in enumerate(values)
    )
    return Series(drill=drill, metric=metric, baseline="one", points=points)
