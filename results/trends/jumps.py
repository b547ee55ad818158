"""Newest nights so far from all before them that they are told at once."""

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
"""Nights before a first change: fewer tell nothing of the noise."""
MOST_AFTER: Final = 5
"""A jump is looked for in so many of the newest nights at most: what lasts longer has become a shift by then."""
JUMPS_ALPHA: Final = 0.005
"""The chance of a false jump that a night may take, over all series together."""
LONE: Final = 30.0
"""A jump that no other figure bears out has to be so many times less probable, until a second night shows it: a machine that
others use disturbs single figures more often than all. Chosen by simulated nights whose seeds are not the benchmark's."""
BEARING_OUT: Final = 0.05
"""So improbable by itself, a jump bears out another one."""
_REACH: Final = 90
_TIMES_LEAST: Final = 20.0
"""A jump is at least so many times the smallest change that counts: a night disturbed by another program is no jump."""
_TIMES_SEEN: Final = 2.0
"""And so many times as far from the level as any night before it."""
_POWER: Final = 1.6449
"""The normal deviate that is exceeded with a chance of 5%."""
_PRIOR_NIGHTS: Final = 6
"""What is usual for the spread of a series counts as much as so many nights of its own. Series whose standard deviations differ
by a factor of about 1.4 to either side have so many degrees of freedom in common."""
_MOST_DEGREES: Final = 10.0
"""Of freedom: however many nights there are, their tails are heavier than those of a normal distribution."""
_PRIOR_SERIES: Final = 3
"""What is usual for a metric anywhere counts as much as so many series of this machine."""
_OF_LEAST: Final = 0.25
"""A spread below this share of the smallest change that counts is taken to be so large."""


@dataclass(frozen=True, kw_only=True)
class Jump:
    """How far the newest nights of a series lie from those before them. On the scale of the metric."""

    count: int
    """Of nights that jumped."""
    level: float
    difference: float
    half: float
    """Of the 95% interval of the difference."""
    p: float
    """That chance alone brings such nights, corrected for the numbers of nights that were tried, not for other series."""


def usual_spread(scale: Scale, rows: Sequence[Array]) -> float:
    """How many times as far as is usual anywhere the nights of some series of one metric scatter, on this machine.

    Their geometric mean, with what is usual anywhere as a few more series: drills of one machine share its noise.
    """
    ratios = [_own_spread(scale, row[-_REACH:]) for row in rows if len(row) >= FEWEST_BEFORE]
    return math.exp(sum(map(math.log, ratios)) / (len(ratios) + _PRIOR_SERIES))


def jump(scale: Scale, nights: Array, rows: Sequence[Array], *, fewest: int = 1) -> Jump | None:
    """The most certain jump of the newest nights, at least so many, or None if they are not far enough off.

    `nights` are figures on the scale, without the changes found; `rows` those of all series of its metric until then.
    """
    found: list[Jump] = []
    of_all = nights[-_REACH - 1 : -MOST_AFTER]
    if len(of_all) and of_all.min() <= nights[-1] <= of_all.max():  # it is not beyond the nights before, however many jumped
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
    """How far, on the scale, the next night would have to lie from the level to be told with a chance of 95%, alone of so many:
    no other figure bears it out.

    None if there are too few nights before it.
    """
    before = nights[-_REACH:]
    if len(before) < FEWEST_BEFORE:
        return None
    spread, degrees = _spread(scale, before, usual)
    bound = t_of_normal(deviate(JUMPS_ALPHA / LONE / (2 * family)), degrees) * spread * math.sqrt(1 + 1 / len(before))
    return max(bound, _far(scale, before, float(np.median(before)))) + _POWER * spread


def _far(scale: Scale, before: Array, level: float) -> float:
    """So far from the level is a jump at least."""
    return max(scale.least(scale.back(level), times=_TIMES_LEAST), _TIMES_SEEN * float(np.abs(before - level).max()))


def _seen_before(rows: Sequence[Array], difference: float) -> float:
    """How often a night of any series of the metric was so far from its level; 0 if none was.

    An empirical null (B. Efron, "Large-scale simultaneous hypothesis testing", JASA 99, 2004): a machine that is known to have
    lone bad nights has another one no more rarely than it had them.
    """
    known = [np.abs(row[-_REACH:] - np.median(row[-_REACH:])) for row in rows if len(row)]
    return float(np.count_nonzero(np.concatenate(known) >= difference) / sum(map(len, known)))


def _own_spread(scale: Scale, nights: Array) -> float:
    """The standard deviation of some nights, in what is usual anywhere; its logarithm is unbiased, or nearly so."""
    level = scale.back(float(np.median(nights)))
    own = float(nights.std(ddof=1)) * math.exp(0.5 / (len(nights) - 1))
    return max(own, _OF_LEAST * scale.least(level)) / scale.usual(level)


def _spread(scale: Scale, nights: Array, usual: float) -> tuple[float, float]:
    """The standard deviation from night to night, and its degrees of freedom.

    Five nights tell little of it; other drills, and what is usual anywhere, tell something: the moderated t of G. K. Smyth,
    "Linear models and empirical Bayes methods for assessing differential expression in microarray experiments", Stat. Appl.
    Genet. Mol. Biol. 3 (2004). It is never taken to be smaller than what the series itself has shown, as one may be noisier
    than all others (B. Phipson and others, "Robust hyperparameter estimation protects against hypervariable genes", Ann. Appl.
    Stat. 10, 2016).
    """
    own, degrees = float(nights.std(ddof=1)), float(len(nights) - 1)
    level = scale.back(float(np.median(nights)))
    prior = usual * scale.usual(level)
    pooled = math.sqrt((_PRIOR_NIGHTS * prior**2 + degrees * own**2) / (_PRIOR_NIGHTS + degrees))
    return max(pooled, own, _OF_LEAST * scale.least(level)), min(degrees + _PRIOR_NIGHTS, _MOST_DEGREES)
