"""When one worker's calls fall due: drawn in blocks ahead of time, so that ten minutes at any rate fit in little memory."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

_BLOCK_S = 0.25
_LEAST, _MOST = 256, 16384


class Schedule:
    """Due times of worker `number` of `workers`, in ns of the monotonic clock, ascending, block by block.

    Of a constant rate each worker takes every so-manieth call. Poisson arrivals are drawn by each worker for itself at its
    share of the rate: independent Poisson processes sum up to one.
    """

    def __init__(self, arrivals: Literal["constant", "poisson"], seed: int, number: int, workers: int) -> None:
        self._poisson = arrivals == "poisson"
        self._random = np.random.default_rng([seed, number])
        self._number, self._workers = number, workers
        self._origin_ns = self._end_ns = 0
        self._rate = 1.0
        self._next = 0
        self._last_ns = 0.0
        self._total = 0

    def begin(self, rate: float, from_ns: int, end_ns: int) -> None:
        """Go on with a rate, that of all workers, from a time on; called again to change it."""
        self._rate, self._origin_ns, self._end_ns = rate, from_ns, end_ns
        self._next, self._last_ns = self._number, 0.0
        self._total = round((end_ns - from_ns) * rate / 1e9)

    def block(self) -> NDArray[np.int64]:
        """The next due times; none where the load has ended."""
        size = int(min(max(self._rate / self._workers * _BLOCK_S, _LEAST), _MOST))
        if not self._poisson:
            numbers = np.arange(self._next, min(self._next + size * self._workers, self._total), self._workers)
            self._next += size * self._workers
            return self._origin_ns + np.rint(numbers * (1e9 / self._rate)).astype(np.int64)
        offsets = self._last_ns + np.cumsum(self._random.exponential(1e9 * self._workers / self._rate, size))
        self._last_ns = float(offsets[-1])
        due_ns: NDArray[np.int64] = self._origin_ns + np.rint(offsets).astype(np.int64)
        return due_ns[: int(np.searchsorted(due_ns, self._end_ns))]
