"""Going through the nights one by one, as they came: after which one was it certain that a level had changed?

Each night, the mean of the newest `k` nights is compared with that of the nights before them, for several `k`. What a night's
decision rests on are only that night and those before it, so that what was told one morning is the same on every later page,
and false alarms can be counted per night and per year.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from results.trends.chance import deviate, holm, normal_of_t, two_sided
from results.trends.edivisive import MIN_SEGMENT, divide
from results.trends.jumps import FEWEST_BEFORE, MOST_AFTER

Array = NDArray[np.float64]

RECENT: Final = np.array([3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 30])
"""So many of the newest nights are compared with those before them."""
REACH: Final = 90
"""So many nights at most the noise is estimated from, and a level is compared with."""
_HELD_BACK: Final = (5, 4)
"""At least so many of the newest nights, and this part of all, say nothing of the noise: a change would look like it."""
_CLIP: Final = 4.0
"""Scores are winsorised here, in standard deviations (P. J. Huber, "Robust estimation of a location parameter", 1964): a single
bad night cannot make a level."""
_DECILES_APART: Final = 2.5631
"""So many standard deviations lie between the first and the ninth decile of a normal distribution. Deciles, since the quartiles
of a machine with two moods may see one of them only."""
_USUAL_CORRELATION: Final = 0.2
_CORRELATIONS_APART: Final = 0.02
"""The correlation of a night with the next that is taken to be usual, and the variance of it from series to series."""
_ROWS_OF_PRIOR: Final = 3
"""What is taken to be usual counts as much as so many series."""
_MOST_CORRELATION: Final = 0.8
_KNOWN: Final = 1
"""More nights than that, and a machine has been seen to have such nights."""
_FEW: Final = 6
_AGREEING: Final = 3.0
"""The mean of so few nights is at least so many of its standard errors, by those nights alone, from the old level."""
_LOOK_CLOSER: Final = 3.0
"""From so large a normal deviate on, a row is looked at more closely."""
HEAVIER: Final = 8.0
"""So many times more often than a normal deviate, the strongest of a night's comparisons exceeds a bound, in noise with
disturbed nights. Measured on simulated nights whose seeds are not those of the benchmark."""
_LOOKED_AT: Final = 40
"""So many nights before the newest ones E-divisive looks at."""
_PERMUTATIONS: Final = 99
_PERMUTATION_P: Final = 0.05


class Confirmed(NamedTuple):
    """The newest nights of a row have jumped."""

    nights: int
    p_adjusted: float


Confirm = Callable[[int, NDArray[np.intp], Array], Confirmed | None]
"""Whether the newest nights of a row, three or more, have jumped: from the row, all rows that were measured in the newest
night, and all nights of all rows until then."""


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A change of a row: indices of its nights."""

    row: int
    first_after: int
    seen: int
    p_adjusted: float


@dataclass(frozen=True, kw_only=True)
class Noise:
    """The noise of some rows, as estimated from their last nights."""

    level: Array
    unit: Array
    """What scores are counted in: the spread of most nights, without the bad ones."""
    spread: Array
    """The standard deviation from night to night, on the scale of the values."""
    correlation: Array
    degrees: Array
    """Of freedom, fewer where nights resemble each other."""


@dataclass(frozen=True, kw_only=True)
class Scanned:
    """What the scan came to."""

    changes: tuple[Accepted, ...]
    aligned: Array
    """The values as if every change had been there from the first night."""


def scan(
    values: Array,
    lengths: NDArray[np.int64],
    floors: Array,
    *,
    alpha: float,
    counts: Callable[[int, float, float], bool],
    confirm: Confirm,
    seeds: Sequence[int],
) -> Scanned:
    """Find changes of level in rows of nights, shape (series, nights).

    A row's nights are its first `lengths[row]` values, the rest is zero. `alpha` is the chance of a false alarm that a night
    may take, over all rows together. A spread below `floors[row]` is taken to be that. `counts(row, before, after)` says
    whether a change is large enough; `confirm` says so of jumps, with the chance of a false alarm over all rows; `seeds` are
    for the permutation tests.
    """
    aligned = values.copy()
    begins = np.zeros(len(values), np.int64)
    changes: list[Accepted] = []
    certain = certainty(len(values), alpha)
    for newest in range(FEWEST_BEFORE + MIN_SEGMENT - 1, values.shape[1]):
        rows = np.flatnonzero(lengths > newest)
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
            if jumped is not None and jumped.p_adjusted <= alpha:
                accept(row, newest + 1 - jumped.nights, jumped.p_adjusted)
        window = aligned[rows, from_ : newest + 1]
        found = _compared(window, np.maximum(begins[rows] - from_, 0), floors[rows])
        if np.abs(found.z).max(initial=0.0) < certain:
            continue
        rejected, adjusted = holm(np.minimum(HEAVIER * two_sided(found.z), 1.0), len(values), alpha)
        for place in rejected:
            row = int(rows[place])
            if abs(found.difference[place]) < floors[row]:
                continue
            begin = max(int(begins[row]), newest + 1 - _LOOKED_AT - int(RECENT[-1]))
            first = _located(aligned[row, begin : newest + 1], seeds[row] + newest)
            if first is not None:
                accept(row, begin + first, float(adjusted[place]))
    return Scanned(changes=tuple(changes), aligned=aligned)


class _Evidence(NamedTuple):
    """The strongest evidence for a change in each row."""

    z: Array
    """As a normal deviate."""
    difference: Array
    """Between the means of the newest nights and of those before."""


def certainty(rows: int, alpha: float) -> float:
    """The normal deviate at which the first of so many rows is found to have changed."""
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
    """Estimates of one quantity of many rows, each drawn towards their mean as far as chance explains how they differ.

    Empirical Bayes: B. Efron and C. Morris, "Stein's estimation rule and its competitors", JASA 68 (1973). The rows come from
    one machine, so their nights resemble each other about as much; a single row has too few nights to tell.
    """
    rows = len(estimates) + _ROWS_OF_PRIOR
    mean = (estimates.sum() + _ROWS_OF_PRIOR * _USUAL_CORRELATION) / rows
    squares = ((estimates - mean) ** 2).sum() + _ROWS_OF_PRIOR * (_CORRELATIONS_APART + variance)
    between = max(squares / rows - variance, _CORRELATIONS_APART / 4)
    return np.asarray((estimates * between + mean * variance) / (between + variance))


def inflation(correlation: Array, nights: Array | np.float64) -> Array:
    """How many times the variance of a mean of nights is what it were if they did not resemble their neighbours: AR(1)."""
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
    """By nights before and after, the normal deviate that is as improbable as the smallest p of a permutation test of so many.

    Three nights prove only so much, however far off they are: one in so many orders of the nights has the largest three last.
    """
    table = np.zeros((REACH + 1, int(RECENT[-1]) + 1))
    for before in range(1, REACH + 1):
        for after in range(1, int(RECENT[-1]) + 1):
            table[before, after] = deviate(1 / math.comb(before + after, after) / HEAVIER)
    return table


def _less_clipped(scores: Array, newer: Array, recent: NDArray[np.int64], signs: Array) -> Array:
    """Sums of the newest nights' scores, clipped no lower than four of five reach if hardly any night before them did.

    What most nights agree on is no outlier, unless the machine has been seen to have such nights.
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
    """The rows whose newest nights, three or a few more, lie beyond all nights before them: only these can have jumped."""
    apart = np.zeros(len(window), bool)
    for count in range(MIN_SEGMENT, min(MOST_AFTER, window.shape[1] - FEWEST_BEFORE) + 1):
        before, after = window[:, :-count], window[:, -count:]
        apart |= (after.min(axis=1) > before.max(axis=1)) | (after.max(axis=1) < before.min(axis=1))
    return apart


def _is_level(nights: Array, before: float, after: float) -> bool:
    """Whether at least three nights are nearer to the new level than to the old, and few nights agree with each other.

    Bad nights in a row, each bad in its own way, are further from each other than those of one level.
    """
    if np.count_nonzero((nights - (before + after) / 2) * (after - before) > 0) < MIN_SEGMENT:
        return False
    error = float(nights.std(ddof=1)) / math.sqrt(len(nights))
    return len(nights) > _FEW or abs(float(nights.mean()) - before) >= _AGREEING * error


def _located(values: Array, seed: int) -> int | None:
    """Where E-divisive divides the values; None if a random order of them would be divided as well."""
    division = divide(values, permutations=_PERMUTATIONS, seed=seed)
    return None if division is None or division.p > _PERMUTATION_P else division.first_after


def _quantile(ascending: Array, share: float) -> Array:
    place = (ascending.shape[1] - 1) * share
    low = int(place)
    high = min(low + 1, ascending.shape[1] - 1)
    return np.asarray(ascending[:, low] + (place - low) * (ascending[:, high] - ascending[:, low]))
