"""A newest night so far from all before it that it is told at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from results.trends.chance import deviate, normal_of_t, t_of_normal, two_sided
from results.trends.findings import Finding
from results.trends.scales import Scale
from results.trends.scan import HEAVIER, REACH
from results.trends.series import Series

_FEWEST_BEFORE: Final = 5
_TIMES_LEAST: Final = 20.0
"""A jump is at least so many times the smallest change that counts: a night disturbed by another program is no jump."""
_TIMES_SEEN: Final = 2.0
"""And so many times as far from the level as any night before it."""
_POWER: Final = 1.6449
"""The normal deviate that is exceeded with a chance of 5%."""
_OTHERS: Final = 4
"""What other series tell of the noise of one counts as much as so many nights of its own, and takes so many of them."""


def usual_spread(scale: Scale, rows: Sequence[NDArray[np.float64]]) -> float | None:
    """The usual spread from night to night of one metric, in smallest changes that count; None if few drills tell it."""
    known = [row[-REACH:] for row in rows if len(row) >= _FEWEST_BEFORE]
    if len(known) < _OTHERS:
        return None
    return float(np.median([row.std(ddof=1) / scale.least(scale.back(float(np.median(row)))) for row in known]))


def jump(
    series: Series, scale: Scale, aligned: NDArray[np.float64], usual: float | None, family: int, alpha: float
) -> Finding | None:
    """The jump of the newest night, or of the newest two. `aligned` are the nights' figures without the changes found."""
    for count in (2, 1):
        before, after = aligned[:-count][-REACH:], aligned[-count:]
        if len(before) < _FEWEST_BEFORE:
            continue
        level = float(np.median(before))
        least = scale.least(scale.back(level))
        spread, degrees = _spread(before, least, usual)
        error = spread * math.sqrt(1 / count + 1 / len(before))
        difference = float(after.mean()) - level
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


def smallest_jump(scale: Scale, aligned: NDArray[np.float64], usual: float | None, family: int, alpha: float) -> float | None:
    """How far, on the scale, the next night would have to lie from the level to be told with a chance of 95%.

    None if there are too few nights before it.
    """
    before = aligned[-REACH:]
    if len(before) < _FEWEST_BEFORE:
        return None
    level = float(np.median(before))
    least = scale.least(scale.back(level))
    spread, degrees = _spread(before, least, usual)
    bound = t_of_normal(deviate(alpha / (HEAVIER * family)), degrees) * spread * math.sqrt(1 + 1 / len(before))
    far = max(_TIMES_LEAST * least, _TIMES_SEEN * float(np.abs(before - level).max()))
    return max(bound, far) + _POWER * spread


def _spread(nights: NDArray[np.float64], least: float, usual: float | None) -> tuple[float, float]:
    """The standard deviation from night to night, and its degrees of freedom.

    Five nights tell little of it, and the other drills of the machine tell something: the moderated t of G. K. Smyth, "Linear
    models and empirical Bayes methods for assessing differential expression", Stat. Appl. Genet. Mol. Biol. 3 (2004).
    """
    own, degrees = float(nights.std(ddof=1)), float(len(nights) - 1)
    if usual is None:
        return max(own, 0.25 * least), degrees
    pooled = math.sqrt((_OTHERS * (usual * least) ** 2 + degrees * own**2) / (_OTHERS + degrees))
    return max(pooled, 0.25 * least), degrees + _OTHERS
