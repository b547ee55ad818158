"""Probabilities of test statistics under chance, and their correction for multiple testing. Needs only numpy."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def normal_of_t(t: Array, degrees: Array) -> Array:
    """The normal deviate that is as improbable as Student's `t` with the given degrees of freedom.

    D. L. Wallace, "Bounds on normal approximations to Student's and the chi-square distributions", Ann. Math. Stat. 30 (1959).
    """
    factor = (8 * degrees + 1) / (8 * degrees + 3)
    return np.asarray(np.sign(t) * factor * np.sqrt(degrees * np.log1p(t * t / degrees)))


def t_of_normal(z: float, degrees: float) -> float:
    """Student's t that is as improbable as a normal deviate: the inverse of `normal_of_t`."""
    factor = (8 * degrees + 1) / (8 * degrees + 3)
    return math.copysign(math.sqrt(degrees * math.expm1((z / factor) ** 2 / degrees)), z)


def two_sided(z: Array) -> Array:
    """The probability of a normal deviate at least as far from 0, on either side."""
    return np.array([math.erfc(abs(value) / math.sqrt(2)) for value in z.tolist()])


def deviate(p: float) -> float:
    """The normal deviate that is exceeded, on either side, with probability `p`; a `p` above 1 counts as 1."""
    return -NormalDist().inv_cdf(min(p, 1.0) / 2)


def holm(p: Array, family: int, alpha: float) -> tuple[NDArray[np.intp], Array]:
    """The indices of the rejected hypotheses, and every adjusted p, by Holm's step-down procedure.

    S. Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Stat. 6 (1979): the probability of any false
    rejection is at most `alpha`, however the hypotheses depend on each other. `family` is the number of hypotheses, which may
    be more than there are p; those without a p are not rejected.
    """
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * (family - np.arange(len(p)))), 1.0)
    return np.flatnonzero(adjusted <= alpha), adjusted


def benjamini_hochberg(p: Array, family: int) -> Array:
    """Every p, adjusted by Benjamini and Hochberg's step-up procedure in a family of `family` hypotheses, which may lack a p.

    Y. Benjamini and Y. Hochberg, "Controlling the false discovery rate", J. R. Stat. Soc. B 57 (1995). If nothing has changed,
    the probability of any rejection is at most the level of the test, also under positive dependence. Small p support each
    other.
    """
    order = np.argsort(p, kind="stable")[::-1]
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum.accumulate(np.minimum(p[order] * family / np.arange(len(p), 0, -1), 1.0))
    return adjusted
