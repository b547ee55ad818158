"""The scale on which a metric is compared, and the smallest change that counts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from results.trends.series import Metric

Transform = Literal["log", "share", "linear"]
"""`log`: the logarithm, so that changes are ratios. `share`: the logarithm of what is missing to 1, as with availability.
`linear`: the values themselves."""

_SHARE_OFFSET: Final = 1e-4
"""Added to what is missing to 1 before taking the logarithm (Tukey's "started" logarithm, Exploratory Data Analysis, 1977): one
failed call more in a hundred thousand is not a change, while 99.9% and 99.0% are about a factor of ten apart."""

_NEXT_TO_NOTHING: Final = 1e-12
"""What 0 is raised to before taking the logarithm, if no change in the metric's unit is too small to count."""
_LOG_OF_NOTHING: Final = math.log(2 * _NEXT_TO_NOTHING)
_LOG_OF_LARGEST: Final = 100.0
"""Larger values are told as this one, which is far beyond any figure: a few noisy nights exclude hardly anything."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How values of a metric are compared. A change counts if it exceeds both minima."""

    transform: Transform
    least_relative: float
    """As a share of the value before; for a `share`, of what was missing to 1."""
    least_absolute: float
    """In the metric's unit."""
    usual_spread: float
    """The usual standard deviation from night to night on a shared machine: on this scale, or as a share of the level if the
    scale is linear. It comes from histories of this project's own drills, in which one pause of the machine makes the p99 of a
    short run five times as large."""

    def forward(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values on this scale. A value near 0 is raised to the smallest change that counts before taking the logarithm."""
        if self.transform == "log":
            return np.log(np.maximum(values, self.least_absolute or _NEXT_TO_NOTHING))
        if self.transform == "share":
            return np.log(np.maximum(1.0 - values, 0.0) + _SHARE_OFFSET)
        return values.astype(np.float64)

    def back(self, value: float) -> float:
        """The metric's value for a value on this scale."""
        if self.transform == "linear":
            return value
        value = min(value, _LOG_OF_LARGEST)
        if self.transform == "share":
            return min(1.0, 1.0 - (math.exp(value) - _SHARE_OFFSET))
        return math.exp(value) if value > _LOG_OF_NOTHING else 0.0

    def effect(self, before: float, after: float) -> float:
        """The relative change from one value of the metric to another; for a share, of what is missing to 1."""
        if self.transform == "share":
            return (1.0 - after + _SHARE_OFFSET) / (1.0 - before + _SHARE_OFFSET) - 1.0
        return after / before - 1.0 if before else math.copysign(math.inf, after) if after else 0.0

    def counts(self, before: float, after: float) -> bool:
        """Whether a change from one value of the metric to another is large enough to be reported."""
        return abs(after - before) >= self.least_absolute and abs(self.effect(before, after)) >= self.least_relative

    def least(self, level: float, *, times: float = 1.0) -> float:
        """About the smallest difference on this scale that counts at a level of the metric, or one for a change `times` as
        large.

        The multiple is taken in the metric's unit, not on a logarithmic scale: close to 0 that would leave no room for it.
        """
        absolute = times * self.least_absolute
        if self.transform == "log":
            return max(times * math.log1p(self.least_relative), math.log1p(absolute / level) if level > 0 else 0.0)
        if self.transform == "share":
            return max(math.log1p(times * self.least_relative), math.log1p(absolute / (1.0 - level + _SHARE_OFFSET)))
        return max(absolute, times * self.least_relative * abs(level))

    def usual(self, level: float) -> float:
        """The usual standard deviation from night to night on this scale, at a level of the metric."""
        return max(self.usual_spread * abs(level), self.least(level)) if self.transform == "linear" else self.usual_spread


_COUNTS: Final = Scale(transform="linear", least_relative=0.05, least_absolute=0.5, usual_spread=0.05)
"""For how often processes were started, and for metrics without a unit of which less is better."""
_BY_NAME: Final = {
    "p50": Scale(transform="log", least_relative=0.03, least_absolute=0.02, usual_spread=0.2),
    "rate": Scale(transform="log", least_relative=0.01, least_absolute=0.0, usual_spread=0.02),
    "availability": Scale(transform="share", least_relative=0.25, least_absolute=0.0003, usual_spread=0.5),
    "recovery": Scale(transform="linear", least_relative=0.02, least_absolute=0.02, usual_spread=0.05),
    "cpu": Scale(transform="log", least_relative=0.03, least_absolute=0.01, usual_spread=0.1),
    "memory": Scale(transform="log", least_relative=0.01, least_absolute=1.0, usual_spread=0.01),
    "starts": _COUNTS,
}
_BY_UNIT: Final = {
    "ms": Scale(transform="log", least_relative=0.05, least_absolute=0.02, usual_spread=0.6),
    "": Scale(transform="share", least_relative=0.25, least_absolute=0.0003, usual_spread=0.5),
}
_OTHERS: Final = Scale(transform="log", least_relative=0.05, least_absolute=0.0, usual_spread=0.1)


def scale_of(metric: Metric) -> Scale:
    """The scale of a metric, by its name or else by its unit. The recovery of one window has the same scale as the run's."""
    name = "recovery" if metric.name.startswith("recovery") and metric.unit == "s" else metric.name
    if (named := _BY_NAME.get(name)) is not None:
        return named
    if metric.unit == "" and metric.better == "lower":
        return _COUNTS
    return _BY_UNIT.get(metric.unit, _OTHERS)
