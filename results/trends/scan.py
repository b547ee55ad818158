"""Going through the nights one by one, as they came: after which one was it certain that a level had changed?

Each night, the mean of the newest `k` nights is compared with that of the nights before them, for several `k`. What a night's
decision rests on are only that night and those before it, so that what was told one morning is the same on every later page,
and false alarms can be counted per night and per year.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from results.trends.chance import deviate, holm, normal_of_t, two_sided
from results.trends.edivisive import MIN_SEGMENT, divide

Array = NDArray[np.float64]

RECENT: Final = np.array([3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 30])
"""So many of the newest nights are compared with those before them."""
REACH: Final = 90
"""So many nights at most the noise is estimated from, and a level is compared with."""
_FEWEST_BEFORE: Final = 5
"""Nights before a first change: fewer tell nothing of the noise."""
_HELD_BACK: Final = (5, 4)
"""At least so many of the newest nights, and this part of all, say nothing of the noise: a change would look like it."""
_CLIP: Final = 4.0
"""Scores are winsorised here, in standard deviations (P. J. Huber, "Robust estimation of a location parameter", 1964): a single
bad night cannot make a level."""
_DECILES_APART: Final = 2.5631
"""So many standard deviations lie between the first and the ninth decile of a normal distribution. Deciles, since the quartiles
of a machine with two moods may see one of them only."""
_USUAL_CORRELATION: Final = 0.2
_NIGHTS_OF_PRIOR: Final = 10
"""An estimate of the correlation of a night with the next from few nights is drawn to the usual one, which weighs so much."""
_MOST_CORRELATION: Final = 0.8
HEAVIER: Final = 4.0
"""So many times more often than a normal deviate, the strongest of a night's comparisons exceeds a bound, in noise with
disturbed nights. Measured on simulated nights whose seeds are not those of the benchmark."""
_LOOKED_AT: Final = 40
"""So many nights before the newest ones E-divisive looks at."""
_PERMUTATIONS: Final = 99
_PERMUTATION_P: Final = 0.05


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
    seeds: Sequence[int],
) -> Scanned:
    """Find changes of level in rows of nights, shape (series, nights).

    A row's nights are its first `lengths[row]` values, the rest is zero. `alpha` is the chance of a false alarm that a night
    may take, over all rows together. A spread below `floors[row]` is taken to be that. `counts(row, before, after)` says
    whether a change is large enough; `seeds` are for the permutation tests.
    """
    aligned = values.copy()
    begins = np.zeros(len(values), np.int64)
    changes: list[Accepted] = []
    certain = certainty(len(values), alpha)
    for newest in range(_FEWEST_BEFORE + MIN_SEGMENT - 1, values.shape[1]):
        rows = np.flatnonzero(lengths > newest)
        from_ = max(0, newest + 1 - REACH)
        window = aligned[rows, from_ : newest + 1]
        z, difference = _strongest(window, np.maximum(begins[rows] - from_, 0), floors[rows])
        if np.abs(z).max(initial=0.0) < certain:
            continue
        rejected, adjusted = holm(np.minimum(HEAVIER * two_sided(z), 1.0), len(values), alpha)
        for place in rejected:
            row = int(rows[place])
            if abs(difference[place]) < floors[row]:
                continue
            begin = max(int(begins[row]), newest + 1 - _LOOKED_AT - int(RECENT[-1]))
            first = _located(aligned[row, begin : newest + 1], seeds[row] + newest)
            if first is None:
                continue
            first += begin
            before = float(np.median(aligned[row, max(begin, first - REACH) : first]))
            after = float(np.median(aligned[row, first : newest + 1]))
            beyond = np.count_nonzero((aligned[row, first : newest + 1] - (before + after) / 2) * (after - before) > 0)
            if beyond < MIN_SEGMENT or not counts(row, before, after):
                continue
            changes.append(Accepted(row=row, first_after=first, seen=newest, p_adjusted=float(adjusted[place])))
            aligned[row, :first] += after - before
            begins[row] = first
    return Scanned(changes=tuple(changes), aligned=aligned)


def certainty(rows: int, alpha: float) -> float:
    """The normal deviate at which the first of so many rows is found to have changed."""
    return deviate(alpha / max(rows, 1) / HEAVIER)


def noise_of(window: Array, floors: Array) -> tuple[Noise, Array]:
    """The noise of rows of nights without the newest few, and all nights as winsorised scores."""
    nights = window.shape[1]
    held_back = min(max(_HELD_BACK[0], nights // _HELD_BACK[1]), max(MIN_SEGMENT, nights - _FEWEST_BEFORE))
    reference = np.sort(window[:, : nights - held_back], axis=1)
    level, low, high = _quantile(reference, 0.5), _quantile(reference, 0.1), _quantile(reference, 0.9)
    unit = np.maximum((high - low) / _DECILES_APART, floors)
    scores = np.clip((window - level[:, None]) / unit[:, None], -_CLIP, _CLIP)
    known = scores[:, : nights - held_back]
    count = known.shape[1]
    centred = known - known.mean(axis=1, keepdims=True)
    squares = np.einsum("ij,ij->i", centred, centred)
    variance = np.maximum(squares / (count - 1), 0.5)
    beside = np.einsum("ij,ij->i", centred[:, 1:], centred[:, :-1]) / np.maximum(squares, 1e-12)
    unbiased = beside + (1 + 3 * beside) / count  # M. G. Kendall, "Note on bias in the estimation of autocorrelation", 1954
    correlation = (count * unbiased + _NIGHTS_OF_PRIOR * _USUAL_CORRELATION) / (count + _NIGHTS_OF_PRIOR)
    correlation = np.clip(correlation, 0.0, _MOST_CORRELATION)
    degrees = np.maximum((count - 1) / inflation(correlation, np.float64(count)), 2.0)
    noise = Noise(level=level, spread=np.sqrt(variance) * unit, correlation=correlation, degrees=degrees)
    return noise, scores * unit[:, None]


def inflation(correlation: Array, nights: Array | np.float64) -> Array:
    """How many times the variance of a mean of nights is what it were if they did not resemble their neighbours: AR(1)."""
    rest = 1 - correlation
    return np.asarray((1 + correlation) / rest - 2 * correlation * (1 - correlation**nights) / (nights * rest * rest))


def _strongest(window: Array, begins: NDArray[np.int64], floors: Array) -> tuple[Array, Array]:
    """The strongest evidence for a change, as a normal deviate, and the difference of means; 0 if there are too few nights."""
    noise, scores = noise_of(window, floors)
    nights = window.shape[1]
    recent = RECENT[nights - MIN_SEGMENT >= RECENT]
    newest_first = np.cumsum(scores[:, ::-1], axis=1)
    of_level = (nights - begins)[:, None]
    before = of_level - recent
    newer = newest_first[:, recent - 1]
    older = np.take_along_axis(newest_first, of_level - 1, axis=1) - newer
    enough = before >= MIN_SEGMENT
    before = np.where(enough, before, 1)
    difference = np.where(enough, newer / recent - older / before, 0.0)
    correlation = noise.correlation[:, None]
    error = (
        inflation(correlation, recent.astype(np.float64)) / recent + inflation(correlation, before.astype(np.float64)) / before
    )
    z = normal_of_t(difference / (noise.spread[:, None] * np.sqrt(error)), noise.degrees[:, None])
    best = np.abs(z).argmax(axis=1)[:, None]
    return np.take_along_axis(z, best, axis=1)[:, 0], np.take_along_axis(difference, best, axis=1)[:, 0]


def _located(values: Array, seed: int) -> int | None:
    """Where E-divisive divides the values; None if a random order of them would be divided as well."""
    division = divide(values, permutations=_PERMUTATIONS, seed=seed)
    return None if division is None or division.p > _PERMUTATION_P else division.first_after


def _quantile(ascending: Array, share: float) -> Array:
    place = (ascending.shape[1] - 1) * share
    low = int(place)
    high = min(low + 1, ascending.shape[1] - 1)
    return np.asarray(ascending[:, low] + (place - low) * (ascending[:, high] - ascending[:, low]))
