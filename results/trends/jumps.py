"""A newest night so far from all before it that it is told at once."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from results.trends.chance import deviate, normal_of_t, t_of_normal, two_sided
from results.trends.findings import Finding
from results.trends.scales import Scale
from results.trends.scan import HEAVIER, REACH
from results.trends.series import Series

_FEWEST_BEFORE: Final = 5
_TIMES_LEAST: Final = 10.0
"""A jump is at least so many times the smallest change that counts: a night disturbed by another program is no jump."""
_TIMES_SEEN: Final = 2.0
"""And so many times as far from the level as any night before it."""


_POWER: Final = 1.6449
"""The normal deviate that is exceeded with a chance of 5%."""


def jump(series: Series, scale: Scale, aligned: NDArray[np.float64], family: int, alpha: float) -> Finding | None:
    """The jump of the newest night, or of the newest two. `aligned` are the nights' figures without the changes found."""
    for count in (2, 1):
        before, after = aligned[:-count][-REACH:], aligned[-count:]
        if len(before) < _FEWEST_BEFORE:
            continue
        level = float(np.median(before))
        least = scale.least(scale.back(level))
        spread = max(float(before.std(ddof=1)), 0.25 * least)
        error = spread * math.sqrt(1 / count + 1 / len(before))
        difference = float(after.mean()) - level
        degrees = float(len(before) - 1)
        z = normal_of_t(np.array([difference / error]), np.array([degrees]))
        p = min(1.0, HEAVIER * family * float(two_sided(z)[0]))
        far = max(_TIMES_LEAST * least, _TIMES_SEEN * float(np.abs(before - level).max()))
        if p > alpha or np.any(np.sign(difference) * (after - level) < far):
            continue
        half = t_of_normal(deviate(0.05), degrees) * error
        was, now = scale.back(level), scale.back(level + difference)
        low, high = sorted(scale.effect(was, scale.back(level + difference + by)) for by in (-half, half))
        night = series.points[-count].night
        return Finding(
            series=series, kind="jump", night=night, seen=night, before=was, after=now, effect=scale.effect(was, now),
            interval=(low, high), p_adjusted=p, worse=(now > was) == (series.metric.better == "lower"),
        )  # fmt: skip
    return None


def smallest_jump(scale: Scale, aligned: NDArray[np.float64], family: int, alpha: float) -> float | None:
    """How far, on the scale, the next night would have to lie from the level to be told with a chance of 95%.

    None if there are too few nights before it.
    """
    before = aligned[-REACH:]
    if len(before) < _FEWEST_BEFORE:
        return None
    level = float(np.median(before))
    least = scale.least(scale.back(level))
    spread = max(float(before.std(ddof=1)), 0.25 * least)
    degrees = float(len(before) - 1)
    bound = t_of_normal(deviate(alpha / (HEAVIER * family)), degrees) * spread * math.sqrt(1 + 1 / len(before))
    far = max(_TIMES_LEAST * least, _TIMES_SEEN * float(np.abs(before - level).max()))
    return max(bound, far) + _POWER * spread
