"""Percentiles: their value, how many samples a claim about one needs, and when a few already disprove it."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

CONFIDENCE: Final = 0.99


def nearest_rank(ascending: NDArray[np.float64], percentile: float) -> float:
    """The nearest-rank percentile: the smallest sample such that at least this percentage of the samples is no larger."""
    return float(ascending[math.ceil(round(percentile * len(ascending) / 100, 6)) - 1])


def samples_needed(percentile: float) -> int:
    """The fewest samples that can support a claim about a percentile at 99% confidence.

    MLPerf LoadGen's early stopping (MLPerf Inference rules, "early stopping", one sample allowed above the threshold): the
    smallest n for which Binomial(n, 1 - p) is at most one with a probability of at most 1%. 662 for p99, 6,636 for p99.9,
    66,381 for p99.99.
    """
    below = percentile / 100
    above = 1 - below
    low, high = 1, 2
    while _at_most_one(high, below, above) > 1 - CONFIDENCE:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if _at_most_one(middle, below, above) > 1 - CONFIDENCE:
            low = middle
        else:
            high = middle
    return high


def _at_most_one(samples: int, below: float, above: float) -> float:
    return math.exp(samples * math.log(below)) * (1 + samples * above / below)


def at_least(successes: int, samples: int, chance: float) -> float:
    """The probability of `successes` or more among `samples` independent trials: the exact upper tail of the binomial."""
    if successes <= 0:
        return 1.0
    if successes > samples:
        return 0.0
    first = math.lgamma(samples + 1) - math.lgamma(successes + 1) - math.lgamma(samples - successes + 1)
    first += successes * math.log(chance) + (samples - successes) * math.log1p(-chance)
    k = np.arange(successes + 1, samples + 1)
    steps = np.log((samples - k + 1) / k) + math.log(chance) - math.log1p(-chance)
    terms = first + np.concatenate(([0.0], np.cumsum(steps)))
    return min(1.0, float(np.exp(terms).sum()))
