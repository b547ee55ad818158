"""Where a series divides into the two parts that differ most, and whether chance explains that: E-divisive means.

D. S. Matteson and N. A. James, "A nonparametric approach for multiple change point analysis of multivariate data", JASA 109
(2014), with the Euclidean distance (their alpha = 1), for one division. MongoDB and Apache Otava use the same statistic to find
performance changes.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

MIN_SEGMENT: Final = 3
"""The fewest nights that count as a level of their own."""


class Division(NamedTuple):
    """The best division of some values."""

    first_after: int
    """The index of the first value of the second part."""
    p: float
    """The share of random orders of the values, the given one included, that divide as well or better; 1 if not tested."""


def divide(values: NDArray[np.float64], *, permutations: int = 0, seed: int = 0) -> Division | None:
    """The division with the largest energy distance, with at least `MIN_SEGMENT` values on each side; None for too few values.

    The permutation test assumes that the values are exchangeable under the null hypothesis. Nights that are correlated with
    their neighbours are not, so for them its p alone is too small.
    """
    if len(values) < 2 * MIN_SEGMENT:
        return None
    energies = _energies(values[None, :])[0]
    best = int(energies.argmax())
    if not permutations:
        return Division(best + MIN_SEGMENT, 1.0)
    random = np.random.default_rng(seed)
    shuffled = random.permuted(np.broadcast_to(values, (permutations, len(values))), axis=1)
    as_good = int(np.count_nonzero(_energies(shuffled).max(axis=1) >= energies[best] * (1 - 1e-12)))
    return Division(best + MIN_SEGMENT, (1 + as_good) / (1 + permutations))


def _energies(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The scaled energy distance between the two sides of each row's divisions; the first divides at index `MIN_SEGMENT`."""
    length = rows.shape[1]
    distances = np.abs(rows[:, :, None] - rows[:, None, :])
    to_earlier = np.tril(distances).sum(axis=2)
    within_before = np.cumsum(to_earlier, axis=1)[:, :-1]  # over the pairs among the first n values
    to_later = np.triu(distances).sum(axis=2)
    within_after = np.cumsum(to_later[:, ::-1], axis=1)[:, ::-1][:, 1:]
    between = within_before[:, -1:] + to_earlier[:, -1:] - within_before - within_after
    before = np.arange(1, length)
    after = length - before
    # 2/(nm) between - 1/C(n,2) within before - 1/C(m,2) within after, times nm/(n+m)
    apart = 2 * between / (before * after)
    apart -= within_before / np.maximum(before * (before - 1) / 2, 1) + within_after / np.maximum(after * (after - 1) / 2, 1)
    return np.asarray((apart * before * after / length)[:, MIN_SEGMENT - 1 : length - MIN_SEGMENT])
