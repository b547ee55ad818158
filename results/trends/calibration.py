"""How often the judgement of nights raises a false alarm in the noise of this very machine.

The nights of a history between two changes are put into a random order, in which no night can have changed anything. Blocks
of a few nights stay together, so that they resemble each other as they did (H. R. Künsch, "The jackknife and the bootstrap for
general stationary observations", Ann. Stat. 17, 1989). Whatever is then found is a false alarm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np

from results.analysis.proportions import Interval, wilson
from results.trends.judging import Options, judge, night_figures
from results.trends.jumps import FEWEST_BEFORE
from results.trends.newest import mornings_with_jumps
from results.trends.remarks import FEWEST
from results.trends.scales import scale_of
from results.trends.series import Point, Series

_BLOCK: Final = 3
_USUAL: Final = Options()


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What came of judging nights in which nothing changed."""

    nights: int
    """Judged: each of them for all series together, in all orders."""
    alarmed: int
    """Nights after which anything was found, be it a jump that is over by now."""
    series: int
    """With enough nights to take part."""

    @property
    def rate(self) -> float | None:
        """The share of nights with a false alarm in any series; None if no night could be judged."""
        return self.alarmed / self.nights if self.nights else None

    @property
    def interval(self) -> Interval:
        """Of the rate, at 95%."""
        return wilson(self.alarmed, self.nights)


def calibrate(series: Sequence[Series], *, orders: int = 20, seed: int = 0, options: Options = _USUAL) -> Calibration:
    """Judge the nights of some series in so many random orders.

    Takes as long as judging them so many times.
    """
    taken = [_without_changes(one, options) for one in series if len(one.points) >= FEWEST]
    nights = alarmed = 0
    random = np.random.default_rng(seed)
    longest = max((len(one.points) for one in taken), default=0)
    for _ in range(orders):
        blocks = random.permutation(-(-longest // _BLOCK))
        shuffled = [_in_order(one, blocks) for one in taken]
        changes = judge(shuffled, seed=int(random.integers(2**31)), options=options).changes
        scales = [scale_of(one.metric) for one in shuffled]
        figures = [night_figures(one, scale) for one, scale in zip(shuffled, scales, strict=True)]
        jumped = mornings_with_jumps(shuffled, scales, figures)
        alarmed += len(jumped | {change.seen for change in changes if change.kind != "jump"})
        nights += max(0, longest - FEWEST_BEFORE)
    return Calibration(nights=nights, alarmed=alarmed, series=len(taken))


def _without_changes(series: Series, options: Options) -> Series:
    """The longest stretch of its nights between two changes."""
    changes = judge([series], options=options).changes
    place = {point.night: at for at, point in enumerate(series.points)}
    bounds = sorted({0, len(series.points), *(place[change.night] for change in changes)})
    begin, end = max(pairwise(bounds), key=lambda stretch: stretch[1] - stretch[0])
    return replace(series, points=series.points[begin:end])


def _in_order(series: Series, blocks: np.ndarray) -> Series:
    """Its nights with the values of others: blocks change places, all series' alike, since a night's mood hits all of them."""
    count = len(series.points)
    order = [at for block in blocks.tolist() for at in range(block * _BLOCK, min((block + 1) * _BLOCK, count))]
    points: list[Point] = [
        replace(point, values=series.points[other].values) for point, other in zip(series.points, order, strict=True)
    ]
    return replace(series, points=tuple(points))
