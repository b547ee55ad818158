"""Scans the nights one by one, in order: after which one was it certain that a level had changed?

After each night, the mean of the newest `k` nights is compared with that of the nights before them, for several `k`. A night's
decision depends only on that night and earlier ones, so what one morning reported stays the same on every later page, and
false alarms can be counted per night and per year.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from results.trends.chance import deviate, holm, normal_of_t, two_sided
from results.trends.edivisive import MIN_SEGMENT, divide
from results.trends.jumps import FEWEST_BEFORE, MOST_AFTER

Array = NDArray[np.float64]

RECENT: Final = np.array([3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 30])
"""How many of the newest nights are compared with those before them."""
REACH: Final = 90
"""The most nights from which noise is estimated, and with which a level is compared."""
_HELD_BACK: Final = (5, 4)
"""The noise is estimated without the newest nights, which a change would affect: at least 5 of them, or one in 4 of all."""
_CLIP: Final = 4.0
"""Scores are winsorised at this many standard deviations (P. J. Huber, "Robust estimation of a location parameter", 1964): a
single bad night cannot make a level."""
_DECILES_APART: Final = 2.5631
"""The distance between the first and the ninth decile of a normal distribution, in standard deviations. Deciles, because the
quartiles of a machine that alternates between two levels may see only one of them."""
_USUAL_CORRELATION: Final = 0.2
_CORRELATIONS_APART: Final = 0.02
"""The prior of the correlation between consecutive nights: its mean, and its variance between series."""
_ROWS_OF_PRIOR: Final = 3
"""The prior weighs as much as this many series."""
_MOST_CORRELATION: Final = 0.8
_KNOWN: Final = 1
"""If more earlier nights than this were as bad, the machine is known to have such nights."""
_FEW: Final = 6
_AGREEING: Final = 3.0
"""The mean of up to `_FEW` nights must be at least this many of its own standard errors from the old level."""
_LOOK_CLOSER: Final = 3.0
"""A row with at least this normal deviate is examined with less clipping."""
HEAVIER: Final = 8.0
"""In noise with disturbed nights, the strongest of a night's comparisons exceeds a bound this many times more often than a
normal deviate does. Measured on simulated nights whose seeds are not the benchmark's."""
_LOOKED_AT: Final = 40
"""How many nights before the newest ones E-divisive examines."""
_PERMUTATIONS: Final = 99
_PERMUTATION_P: Final = 0.05


class Confirmed(NamedTuple):
    """The newest nights of a row have jumped."""

    nights: int
    p: float
    """Not corrected for other rows."""


Confirm = Callable[[int, NDArray[np.intp], Array], Confirmed | None]
"""Whether the newest nights of a row, three or more, have jumped. Arguments: the row, the rows judged together with it, and the
nights of all rows up to it."""


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A change of a row: indices of its nights."""

    row: int
    first_after: int
    seen: int
    p_adjusted: float


@dataclass(frozen=True, kw_only=True)
class Noise:
    """The noise of some rows, estimated from their last nights."""

    level: Array
    unit: Array
    """The unit of scores: a robust spread, which bad nights do not affect."""
    spread: Array
    """The standard deviation from night to night, on the scale of the values."""
    correlation: Array
    degrees: Array
    """Degrees of freedom: fewer if nights are correlated."""


@dataclass(frozen=True, kw_only=True)
class Scanned:
    """The result of a scan."""

    changes: tuple[Accepted, ...]
    aligned: Array
    """The values with every change removed: earlier nights are shifted to the last level."""


def scan(
    values: Array,
    nights: NDArray[np.int64],
    floors: Array,
    *,
    alpha: float,
    counts: Callable[[int, float, float], bool],
    confirm: Confirm,
    seeds: Sequence[int],
) -> Scanned:
    """Find changes of level in rows of nights, shape (series, nights).

    `nights` holds the number of each value's night. A row may have fewer nights than others: the rest is -1. `alpha` is the
    probability of a false alarm that one night may spend, over all rows that were measured in it. Spreads are at least
    `floors[row]`. `counts(row, before, after)` decides whether a change is large enough; `confirm` decides on jumps; `seeds`
    are for the permutation tests.
    """
    aligned = values.copy()
    begins = np.zeros(len(values), np.int64)
    changes: list[Accepted] = []
    for newest, rows, family in _passes(nights):
        from_ = max(0, newest + 1 - REACH)

        def accept(row: int, first: int, p_adjusted: float, newest: int = newest) -> None:
            begin = max(int(begins[row]), first - REACH)
            before, after = (float(np.median(aligned[row, part])) for part in (slice(begin, first), slice(first, newest + 1)))
            if not _is_level(aligned[row, first : newest + 1], before, after) or not counts(row, before, after):
                return
            changes.append(Accepted(row=row, first_after=first, seen=newest, p_adjusted=p_adjusted))
            aligned[row, :first] += after - before
            begins[row] = first

        for row in rows[_set_apart(aligned[rows, from_ : newest + 1])].tolist():
            jumped = confirm(row, rows, aligned[:, : newest + 1])
            if jumped is not None and (p := min(1.0, HEAVIER * family * jumped.p)) <= alpha:
                accept(row, newest + 1 - jumped.nights, p)
        window = aligned[rows, from_ : newest + 1]
        found = _compared(window, np.maximum(begins[rows] - from_, 0), floors[rows])
        if np.abs(found.z).max(initial=0.0) < certainty(family, alpha):
            continue
        rejected, adjusted = holm(np.minimum(HEAVIER * two_sided(found.z), 1.0), family, alpha)
        for place in rejected:
            row = int(rows[place])
            if abs(found.difference[place]) < floors[row]:
                continue
            begin = max(int(begins[row]), newest + 1 - _LOOKED_AT - int(RECENT[-1]))
            first = _located(aligned[row, begin : newest + 1], seeds[row] + newest)
            if first is not None:
                accept(row, begin + first, float(adjusted[place]))
    return Scanned(changes=tuple(changes), aligned=aligned)


def _passes(nights: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.intp], int]]:
    """The rows to judge together: they have the same night in the same place. With that place, and how many rows the night
    measured.

    Rows that lack a night, or began later, are at another night in this place: they say nothing about this one.
    """
    measured = np.bincount(nights[nights >= 0])
    for newest in range(FEWEST_BEFORE + MIN_SEGMENT - 1, nights.shape[1]):
        of_rows = nights[:, newest]
        for night in np.unique(of_rows[of_rows >= 0]).tolist():
            yield newest, np.flatnonzero(of_rows == night), int(measured[night])


class _Evidence(NamedTuple):
    """The strongest evidence for a change in each row."""

    z: Array
    """As a normal deviate."""
    difference: Array
    """Between the mean of the newest nights and that of the nights before."""


def certainty(rows: int, alpha: float) -> float:
    """The normal deviate at which the strongest of `rows` rows counts as changed."""
    return deviate(alpha / max(rows, 1) / HEAVIER)


def noise_of(window: Array, floors: Array) -> Noise:
    """The noise of rows of nights, estimated without the newest few of them."""
    nights = window.shape[1]
    held_back = min(max(_HELD_BACK[0], nights // _HELD_BACK[1]), max(MIN_SEGMENT, nights - FEWEST_BEFORE))
    reference = window[:, : nights - held_back]
    ascending = np.sort(reference, axis=1)
    level, low, high = _quantile(ascending, 0.5), _quantile(ascending, 0.1), _quantile(ascending, 0.9)
    unit = np.maximum((high - low) / _DECILES_APART, floors)
    scores = np.clip((reference - level[:, None]) / unit[:, None], -_CLIP, _CLIP)
    count = scores.shape[1]
    centred = scores - scores.mean(axis=1, keepdims=True)
    squares = np.einsum("ij,ij->i", centred, centred)
    variance = np.maximum(squares / (count - 1), 0.5)
    beside = np.einsum("ij,ij->i", centred[:, 1:], centred[:, :-1]) / np.maximum(squares, 1e-12)
    unbiased = beside + (1 + 3 * beside) / count  # M. G. Kendall, "Note on bias in the estimation of autocorrelation", 1954
    correlation = np.clip(_drawn_together(unbiased, 1 / count), 0.0, _MOST_CORRELATION)
    degrees = np.maximum((count - 1) / inflation(correlation, np.float64(count)), 2.0)
    return Noise(level=level, unit=unit, spread=np.sqrt(variance) * unit, correlation=correlation, degrees=degrees)


def _drawn_together(estimates: Array, variance: float) -> Array:
    """Estimates of one quantity in many rows, each shrunk towards their mean as far as chance explains their differences.

    Empirical Bayes: B. Efron and C. Morris, "Stein's estimation rule and its competitors", JASA 68 (1973). The rows come from
    one machine, so their correlations are similar, and a single row has too few nights to estimate its own.
    """
    rows = len(estimates) + _ROWS_OF_PRIOR
    mean = (estimates.sum() + _ROWS_OF_PRIOR * _USUAL_CORRELATION) / rows
    squares = ((estimates - mean) ** 2).sum() + _ROWS_OF_PRIOR * (_CORRELATIONS_APART + variance)
    between = max(squares / rows - variance, _CORRELATIONS_APART / 4)
    return np.asarray((estimates * between + mean * variance) / (between + variance))


def inflation(correlation: Array, nights: Array | np.float64) -> Array:
    """The factor by which AR(1) correlation of consecutive nights inflates the variance of their mean."""
    rest = 1 - correlation
    return np.asarray((1 + correlation) / rest - 2 * correlation * (1 - correlation**nights) / (nights * rest * rest))


def _compared(window: Array, begins: NDArray[np.int64], floors: Array) -> _Evidence:
    """The strongest evidence for a change in each row; none in rows with too few nights."""
    noise = noise_of(window, floors)
    scores = (window - noise.level[:, None]) / noise.unit[:, None]
    nights = window.shape[1]
    recent = RECENT[nights - MIN_SEGMENT >= RECENT]
    newest_first = np.cumsum(np.clip(scores, -_CLIP, _CLIP)[:, ::-1], axis=1)
    of_level = (nights - begins)[:, None]
    before = of_level - recent
    newer = newest_first[:, recent - 1]
    older = np.take_along_axis(newest_first, of_level - 1, axis=1) - newer
    enough = before >= MIN_SEGMENT
    before = np.where(enough, before, 1)
    correlation = noise.correlation[:, None]
    error = sum(inflation(correlation, part.astype(np.float64)) / part for part in (recent, before))
    error = (noise.spread / noise.unit)[:, None] * np.sqrt(error)
    most = _most_evidence()[before, recent]

    def evidence(newer: Array, rows: NDArray[np.intp] | slice) -> _Evidence:
        difference = np.where(enough[rows], newer / recent - older[rows] / before[rows], 0.0)
        z = np.clip(normal_of_t(difference / error[rows], noise.degrees[rows, None]), -most[rows], most[rows])
        best = np.abs(z).argmax(axis=1)[:, None]
        z, difference = (np.take_along_axis(of, best, axis=1)[:, 0] for of in (z, difference))
        return _Evidence(z, difference * noise.unit[rows])

    found = evidence(newer, slice(None))
    strong = np.flatnonzero(np.abs(found.z) >= _LOOK_CLOSER)
    if len(strong):
        closer = evidence(_less_clipped(scores[strong], newer[strong], recent, np.sign(found.z[strong])), strong)
        found.z[strong], found.difference[strong] = closer
    return found


@functools.cache
def _most_evidence() -> Array:
    """By nights before and after, the normal deviate that is as improbable as the smallest p of a permutation test of them.

    Three nights prove only so much, however far off they are: by chance alone, the three largest come last in one of
    C(before + 3, 3) orders.
    """
    table = np.zeros((REACH + 1, int(RECENT[-1]) + 1))
    for before in range(1, REACH + 1):
        for after in range(1, int(RECENT[-1]) + 1):
            table[before, after] = deviate(1 / math.comb(before + after, after) / HEAVIER)
    return table


def _less_clipped(scores: Array, newer: Array, recent: NDArray[np.int64], signs: Array) -> Array:
    """Sums of the newest nights' scores, clipped no lower than what four of five of them reach, if hardly any earlier night
    did.

    What most nights agree on is not an outlier, unless the machine is known to have such nights.
    """
    sums = newer.copy()
    towards = scores * signs[:, None]
    for place, count in enumerate(recent.tolist()):
        nights, before = towards[:, -count:], towards[:, :-count]
        agreed = np.partition(nights, count // 5, axis=1)[:, count // 5, None]
        known = np.count_nonzero(before >= agreed, axis=1, keepdims=True) > _KNOWN
        clip = np.where(known, _CLIP, np.maximum(agreed, _CLIP))
        sums[:, place] = np.clip(nights, -_CLIP, clip).sum(axis=1) * signs
    return sums


def _set_apart(window: Array) -> NDArray[np.bool_]:
    """The rows whose newest three to five nights lie beyond all nights before them: only these can have jumped."""
    apart = np.zeros(len(window), bool)
    for count in range(MIN_SEGMENT, min(MOST_AFTER, window.shape[1] - FEWEST_BEFORE) + 1):
        before, after = window[:, :-count], window[:, -count:]
        apart |= (after.min(axis=1) > before.max(axis=1)) | (after.max(axis=1) < before.min(axis=1))
    return apart


def _is_level(nights: Array, before: float, after: float) -> bool:
    """Whether at least three nights are nearer to the new level than to the old one, and, if they are few, agree with each
    other.

    Consecutive bad nights, each bad in its own way, are further apart than nights of one level.
    """
    if np.count_nonzero((nights - (before + after) / 2) * (after - before) > 0) < MIN_SEGMENT:
        return False
    error = float(nights.std(ddof=1)) / math.sqrt(len(nights))
    return len(nights) > _FEW or abs(float(nights.mean()) - before) >= _AGREEING * error


def _located(values: Array, seed: int) -> int | None:
    """Where E-divisive divides the values; None if random orders of them are divided as well."""
    division = divide(values, permutations=_PERMUTATIONS, seed=seed)
    return None if division is None or division.p > _PERMUTATION_P else division.first_after


def _quantile(ascending: Array, share: float) -> Array:
    place = (ascending.shape[1] - 1) * share
    low = int(place)
    high = min(low + 1, ascending.shape[1] - 1)
    return np.asarray(ascending[:, low] + (place - low) * (ascending[:, high] - ascending[:, low]))
