"""Made-up nights with the noise of real machines: autocorrelation, two moods, outliers, weekly cycles."""

from __future__ import annotations

from dataclasses import dataclass
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


QUIET = Noise()
CORRELATED = Noise(correlation=0.5)
BIMODAL = Noise(moods=0.08)
DISTURBED = Noise(outlier=0.05, outlier_size=0.15)
WEEKLY = Noise(week=0.02)
KINDS = {"quiet": QUIET, "correlated": CORRELATED, "bimodal": BIMODAL, "disturbed": DISTURBED, "weekly": WEEKLY}


def relative(noise: Noise, shape: tuple[int, int, int], random: np.random.Generator) -> NDArray[np.float64]:
    """Noise of so many series, nights and runs, as logarithms."""
    count, nights, _ = shape
    steps = random.normal(size=(count, nights)) * noise.night
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
