"""Compares two systems in paired runs: is one better, and which differences can be excluded?

Each pair is a run of A and a run of B in alternating order (ABBA), so that a machine that gets slower favours neither. If A and
B are equal, the difference of each pair is as likely to have the opposite sign: that is all that the test assumes (R. A.
Fisher, "The Design of Experiments", 1935).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import NormalDist
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from results.trends.scales import scale_of
from results.trends.series import Metric

Array = NDArray[np.float64]
Verdict = Literal["worse", "better", "small", "none"]
"""`worse`, `better`: beyond chance, and large enough to count. `small`: beyond chance only. `none`: no difference was seen."""

ALPHA: Final = 0.01
"""The probability that comparing a system with itself finds a difference in any metric of any drill."""
FEWEST_PAIRS: Final = 6
_CONFIDENCE: Final = 0.95
_WINSORISED: Final = 3.0
"""Differences are cut at this multiple of their median size: a disturbed pair must not hide what the others show."""
_ALL_SIGNS: Final = 13
"""Up to this many pairs, all combinations of signs are enumerated; with more pairs, a sample of them."""
_SAMPLED: Final = 20_000


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A metric of a drill, which is compared."""

    drill: str
    metric: Metric


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The comparison of one metric of one drill."""

    subject: Subject
    pairs: int
    a: float
    b: float
    """The levels, in the metric's unit: A's is its median (on a linear scale its typical value, as with differences: recoveries
    may be 0 in most runs), B's is A's plus the typical difference of the pairs."""
    effect: float
    """B's level relative to A's; for a share, the relative change of what is missing to 1."""
    interval: tuple[float, float]
    """The 95% interval of the effect: J. A. Hartigan, "Using subsample values as typical values", JASA 64 (1969)."""
    p_adjusted: float
    """Corrected for all metrics of all drills: P. H. Westfall and S. S. Young, "Resampling-Based Multiple Testing", 1993."""
    verdict: Verdict

    @property
    def excluded(self) -> float:
        """Relative differences larger than this are excluded, with 95% confidence."""
        return max(abs(bound) for bound in self.interval)


@dataclass(frozen=True, kw_only=True)
class Look:
    """One look at the pairs so far."""

    compared: tuple[Compared, ...]
    decided: bool
    """Whether the comparison is over: more pairs would change nothing that matters."""

    @property
    def regressed(self) -> bool:
        return any(one.verdict == "worse" for one in self.compared)


class Comparison:
    """A group-sequential comparison: it looks at the pairs after each one, of at most `most_pairs`.

    The looks so far may spend a part of `alpha` that follows O'Brien and Fleming's spending function of the share of pairs made
    (K. K. G. Lan and D. L. DeMets, "Discrete sequential boundaries for clinical trials", Biometrika 70, 1983). What a look
    spends is counted exactly, over the combinations of signs that no earlier look would have rejected.
    """

    def __init__(self, most_pairs: int, *, alpha: float = ALPHA, seed: int = 0) -> None:
        self._most = most_pairs
        self._alpha = alpha
        self._signs = _signs(most_pairs, seed)
        self._stopped = np.zeros(len(self._signs), bool)
        self._differences: list[Mapping[Subject, tuple[float, float]]] = []
        self._beyond: set[Subject] = set()
        """The subjects whose difference some look has found to be beyond chance; no later look takes that back."""

    @property
    def pairs(self) -> int:
        return len(self._differences)

    def add(self, pair: Mapping[Subject, tuple[float, float]]) -> Look:
        """Add a pair, A's and B's value of each metric that both runs measured, and look at all pairs so far."""
        self._differences.append(pair)
        subjects = sorted({subject for pair in self._differences for subject in pair}, key=_order)
        values = {subject: self._values(subject) for subject in subjects}
        kept = np.array([_winsorised(differences) for _, differences in values.values()]).reshape(len(subjects), self.pairs)
        statistics, of_signs = self._statistics(kept)
        bound = self._bound(of_signs)
        self._beyond |= {subject for subject, one in zip(subjects, statistics.tolist(), strict=True) if one >= bound}
        own = int(self._most > _ALL_SIGNS)  # a sample may lack the combination that was observed
        as_large = [int(np.count_nonzero(of_signs >= statistic * (1 - 1e-12))) for statistic in statistics.tolist()]
        p = [(own + count) / (own + len(of_signs)) for count in as_large]
        compared = tuple(
            _compared(subject, *values[subject], beyond=subject in self._beyond, p_adjusted=one)
            for subject, one in zip(subjects, p, strict=True)
        )
        worse = any(one.verdict == "worse" for one in compared)
        return Look(compared=compared, decided=self.pairs >= FEWEST_PAIRS and (worse or _nothing_left(compared)))

    def _values(self, subject: Subject) -> tuple[Array, Array]:
        """A's values, and the differences from A to B on the metric's scale; NaN for a pair that lacks the metric."""
        scale = scale_of(subject.metric)
        pairs = np.array([pair.get(subject, (math.nan, math.nan)) for pair in self._differences])
        scaled = scale.forward(pairs)
        return pairs[:, 0], scaled[:, 1] - scaled[:, 0]

    def _statistics(self, differences: Array) -> tuple[Array, Array]:
        """Each metric's statistic, |sum| / root of the sum of squares, and the largest one for each combination of signs."""
        norms = np.sqrt((differences**2).sum(axis=1))
        scaled = differences / np.where(norms > 0, norms, 1.0)[:, None]
        of_signs = np.abs(self._signs[:, : self.pairs] @ np.abs(scaled).T).max(axis=1, initial=0.0)
        return np.abs(scaled.sum(axis=1)), of_signs

    def _bound(self, of_signs: Array) -> float:
        """The smallest statistic at which this look rejects, so that the looks so far spend no more than they may."""
        allowance = self._spent_by(self.pairs / self._most)
        open_ = np.sort(of_signs[~self._stopped])[::-1]
        affordable = int(allowance * len(of_signs) + 1e-9) - int(np.count_nonzero(self._stopped))
        bound = math.inf
        if affordable > 0 and len(open_):
            if affordable < len(open_):
                rest = open_[affordable] * (1 + 1e-9)  # the largest statistic that must not be rejected
                above = open_[:affordable][open_[:affordable] > rest]
                bound = float(above[-1]) * (1 - 1e-12) if len(above) else math.inf
            else:
                bound = float(open_[-1])
        self._stopped |= of_signs >= bound
        return bound

    def _spent_by(self, share: float) -> float:
        normal = NormalDist()
        z = normal.inv_cdf(1 - self._alpha / 2)
        return 2 * (1 - normal.cdf(z / math.sqrt(min(share, 1.0))))


@functools.cache
def _signs(pairs: int, seed: int) -> Array:
    if pairs <= _ALL_SIGNS:
        return np.array(list(product((1.0, -1.0), repeat=pairs)))
    return np.random.default_rng(seed).choice((1.0, -1.0), size=(_SAMPLED, pairs))


def _winsorised(differences: Array) -> Array:
    """The differences with large ones cut, by size only, so that every combination of signs is cut alike."""
    known = np.nan_to_num(differences)
    sizes = np.abs(known[known != 0])
    most = _WINSORISED * float(np.median(sizes)) if len(sizes) else 0.0
    return np.clip(known, -most, most)


def _compared(subject: Subject, a: Array, differences: Array, *, beyond: bool, p_adjusted: float) -> Compared:
    scale = scale_of(subject.metric)
    known = differences[~np.isnan(differences)]
    low, middle, high = _typical(known)
    level = _typical(a[~np.isnan(a)])[1] if scale.transform == "linear" else float(np.nanmedian(a))
    at = float(scale.forward(np.array([level]))[0])

    def moved(by: float) -> float:
        return max(scale.back(at + by), 0.0) if by else level  # a level near 0 has no place of its own on the scale

    after = moved(middle)
    effects = sorted(scale.effect(level, moved(by)) for by in (low, high))
    verdict: Verdict = "none"
    if beyond:
        lower_is_better = subject.metric.better == "lower"
        direction: Verdict = "worse" if (after > level) == lower_is_better else "better"
        verdict = direction if scale.counts(level, after) else "small"
    return Compared(
        subject=subject, pairs=len(known), a=level, b=after, effect=scale.effect(level, after),
        interval=(effects[0], effects[1]), p_adjusted=p_adjusted, verdict=verdict,
    )  # fmt: skip


def _typical(values: Array) -> tuple[float, float, float]:
    """The interval and median of the means of all subsets; the true centre is equally likely between any two of these means."""
    count = len(values)
    if count < 2:
        return -math.inf, float(values.sum()), math.inf
    members = (1 - _signs(count, count)) / 2
    members = members[members.any(axis=1)]
    means = np.sort(members @ values / members.sum(axis=1))
    tail = (1 - _CONFIDENCE) / 2
    low = int(tail * (len(means) + 1)) - 1
    if low < 0:
        return -math.inf, float(np.median(means)), math.inf
    return float(means[low]), float(np.median(means)), float(means[-1 - low])


def _nothing_left(compared: Sequence[Compared]) -> bool:
    """Whether every difference that would count is excluded."""
    for one in compared:
        scale = scale_of(one.subject.metric)
        for bound in one.interval:
            if not math.isfinite(bound) or abs(bound) >= _least(one, scale.least_relative, scale.least_absolute):
                return False
    return bool(compared)


def _least(one: Compared, relative: float, absolute: float) -> float:
    scale = scale_of(one.subject.metric)
    moved = one.a - absolute if scale.transform == "share" else one.a + absolute
    return max(relative, abs(scale.effect(one.a, moved))) if one.a or scale.transform == "share" else math.inf


def _order(subject: Subject) -> tuple[str, str]:
    return subject.drill, subject.metric.name
