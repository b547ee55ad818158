"""Jumps: newest nights so far from all earlier ones that they are reported at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from results.trends.chance import deviate, normal_of_t, t_of_normal, two_sided
from results.trends.scales import Scale

Array = NDArray[np.float64]

FEWEST_BEFORE: Final = 5
"""The fewest nights before a first change: fewer do not show the noise."""
MOST_AFTER: Final = 5
"""A jump spans at most this many of the newest nights; a change that lasts longer has become a shift by then."""
JUMPS_ALPHA: Final = 0.005
"""The probability of a false jump that one night may spend, over all series together."""
LONE: Final = 30.0
"""A jump that no other figure corroborates must be this many times less probable, until a second night shows it: on a shared
machine, disturbances hit single figures more often than all of them. Chosen with simulated nights whose seeds are not the
benchmark's."""
BEARING_OUT: Final = 0.05
"""A jump with at most this p corroborates another one."""
_REACH: Final = 90
_TIMES_LEAST: Final = 20.0
"""A jump is at least this many times the smallest change that counts: a night that another program disturbed is not a jump."""
_TIMES_SEEN: Final = 2.0
"""And it is this many times as far from the level as any earlier night."""
_POWER: Final = 1.6449
"""The normal deviate that is exceeded with a probability of 5%."""
_PRIOR_NIGHTS: Final = 6
"""The prior of a series' spread weighs as much as this many nights of its own. It is the prior's degrees of freedom if the
standard deviations of series differ by a factor of about 1.4."""
_MOST_DEGREES: Final = 10.0
"""At most this many degrees of freedom, however many nights there are: the nights' tails are heavier than a normal's."""
_PRIOR_SERIES: Final = 3
"""The usual spread of a metric on any machine weighs as much as this many series of this machine."""
_OF_LEAST: Final = 0.25
"""The spread is taken to be at least this share of the smallest change that counts."""


@dataclass(frozen=True, kw_only=True)
class Jump:
    """How far the newest nights of a series lie from those before them, on the scale of the metric."""

    count: int
    """How many nights jumped."""
    level: float
    difference: float
    half: float
    """Half the width of the difference's 95% interval."""
    p: float
    """The probability of such nights by chance, corrected for the different `count`s that were tried, not for other series."""


def usual_spread(scale: Scale, rows: Sequence[Array]) -> float:
    """The spread of one metric's series on this machine, as a multiple of the usual spread on any machine.

    It is the geometric mean over the series, shrunk towards 1 as if a few more series had the usual spread: the drills of one
    machine share its noise.
    """
    ratios = [_own_spread(scale, row[-_REACH:]) for row in rows if len(row) >= FEWEST_BEFORE]
    return math.exp(sum(map(math.log, ratios)) / (len(ratios) + _PRIOR_SERIES))


def jump(scale: Scale, nights: Array, rows: Sequence[Array], *, fewest: int = 1) -> Jump | None:
    """The most significant jump of at least `fewest` newest nights; None if they are not far enough from the level.

    `nights` are figures on the scale, with the changes found so far removed; `rows` are those of every series of the metric, up
    to the same night.
    """
    found: list[Jump] = []
    of_all = nights[-_REACH - 1 : -MOST_AFTER]
    if len(of_all) and of_all.min() <= nights[-1] <= of_all.max():  # it lies within the earlier nights, however many jumped
        return None
    for count in range(fewest, MOST_AFTER + 1):
        before, after = nights[:-count][-_REACH:], nights[-count:]
        if len(before) < FEWEST_BEFORE:
            break
        level = float(np.median(before))
        difference = float(after.mean()) - level
        if np.any(np.sign(difference) * (after - level) < _far(scale, before, level)):
            continue
        spread, degrees = _spread(scale, before, usual_spread(scale, [row[:-count] for row in rows]))
        error = spread * math.sqrt(1 / count + 1 / len(before))
        z = normal_of_t(np.array([difference / error]), np.array([degrees]))
        alone = _seen_before([row[:-1] for row in rows], abs(difference)) if count == 1 else 0.0
        p = min(1.0, 2**count * max(float(two_sided(z)[0]), alone))
        half = t_of_normal(deviate(0.05), degrees) * error
        found.append(Jump(count=count, level=level, difference=difference, half=half, p=p))
    return min(found, key=lambda one: one.p, default=None)


def smallest_jump(scale: Scale, nights: Array, usual: float, family: int) -> float | None:
    """How far from the level, on the scale, the next night must lie to be reported with a probability of 95%.

    It is the only one of `family` series that jumps, so no other figure corroborates it. None if there are too few nights.
    """
    before = nights[-_REACH:]
    if len(before) < FEWEST_BEFORE:
        return None
    spread, degrees = _spread(scale, before, usual)
    bound = t_of_normal(deviate(JUMPS_ALPHA / LONE / (2 * family)), degrees) * spread * math.sqrt(1 + 1 / len(before))
    return max(bound, _far(scale, before, float(np.median(before)))) + _POWER * spread


def _far(scale: Scale, before: Array, level: float) -> float:
    """The smallest distance from the level that counts as a jump."""
    return max(scale.least(scale.back(level), times=_TIMES_LEAST), _TIMES_SEEN * float(np.abs(before - level).max()))


def _seen_before(rows: Sequence[Array], difference: float) -> float:
    """The share of nights, over all series of the metric, that lie at least `difference` from their level.

    An empirical null (B. Efron, "Large-scale simultaneous hypothesis testing", JASA 99, 2004): a machine that had single bad
    nights will have more of them, as often as before.
    """
    known = [np.abs(row[-_REACH:] - np.median(row[-_REACH:])) for row in rows if len(row)]
    return float(np.count_nonzero(np.concatenate(known) >= difference) / sum(map(len, known)))


def _own_spread(scale: Scale, nights: Array) -> float:
    """The standard deviation of some nights, as a multiple of the usual one; its logarithm is nearly unbiased."""
    level = scale.back(float(np.median(nights)))
    own = float(nights.std(ddof=1)) * math.exp(0.5 / (len(nights) - 1))
    return max(own, _OF_LEAST * scale.least(level)) / scale.usual(level)


def _spread(scale: Scale, nights: Array, usual: float) -> tuple[float, float]:
    """The standard deviation from night to night, and its degrees of freedom.

    Five nights say little about it, so other drills and the usual spread are taken into account: the moderated t of G. K.
    Smyth, "Linear models and empirical Bayes methods for assessing differential expression in microarray experiments", Stat.
    Appl. Genet. Mol. Biol. 3 (2004). It is never smaller than the series' own standard deviation, since one series may be
    noisier than all others (B. Phipson and others, "Robust hyperparameter estimation protects against hypervariable genes",
    Ann. Appl. Stat. 10, 2016).
    """
    own, degrees = float(nights.std(ddof=1)), float(len(nights) - 1)
    level = scale.back(float(np.median(nights)))
    prior = usual * scale.usual(level)
    pooled = math.sqrt((_PRIOR_NIGHTS * prior**2 + degrees * own**2) / (_PRIOR_NIGHTS + degrees))
    return max(pooled, own, _OF_LEAST * scale.least(level)), min(degrees + _PRIOR_NIGHTS, _MOST_DEGREES)
