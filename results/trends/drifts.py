"""Whether a level changed in steps or gradually."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

_BETTER: Final = 0.8
"""A slope must leave at most this share of a single step's residual squares: few nights favour the more flexible one."""
_EARLIER: Final = 8
"""How many nights before the first step a slope may begin."""
_LATER: Final = 3
"""And how many nights after it."""
_CLIP: Final = 5.0


def drift_start(values: NDArray[np.float64], steps: Sequence[int]) -> int | None:
    """The first night of a slope that fits better than `steps` (the first nights of new levels); None if none does."""
    bounds = [0, *steps, len(values)]
    parts = [values[begin:end] for begin, end in pairwise(bounds)]
    spread = 1.4826 * float(np.median(np.abs(parts[0] - np.median(parts[0])))) or 1e-9
    middle = float(np.median(parts[0]))
    flat = np.clip(parts[0], middle - _CLIP * spread, middle + _CLIP * spread)  # a bad night before the change must not decide
    values = np.concatenate([flat, *parts[1:]])
    stepped = _squares(flat) + sum(_squares(part) for part in parts[1:])
    best, least = None, stepped * (_BETTER if len(steps) == 1 else 1.0)
    centred = values - values.mean()
    for begin in range(max(2, steps[0] - _EARLIER), min(steps[0] + _LATER, len(values) - 2)):
        since = np.maximum(np.arange(len(values)) - begin + 1, 0).astype(np.float64)
        since -= since.mean()
        left = float(centred @ centred - (centred @ since) ** 2 / (since @ since))
        if left < least:
            best, least = begin, left
    return best


def _squares(values: NDArray[np.float64]) -> float:
    return float(((values - values.mean()) ** 2).sum())
