"""How often judging nights raises a false alarm in the noise of this machine.

The nights between two changes of a history are put into a random order, in which no night can mark a change. Blocks of a few
nights stay together, so that the correlation between neighbouring nights is kept (H. R. Künsch, "The jackknife and the
bootstrap for general stationary observations", Ann. Stat. 17, 1989). Whatever is then found is a false alarm.
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
    """The result of judging nights in which nothing changed."""

    nights: int
    """How many nights were judged, over all orders. A night counts once for all series together."""
    alarmed: int
    """How many of these nights raised an alarm, including jumps that ended later."""
    series: int
    """How many series had enough nights to take part."""

    @property
    def rate(self) -> float | None:
        """The share of nights with a false alarm in any series; None if no night could be judged."""
        return self.alarmed / self.nights if self.nights else None

    @property
    def interval(self) -> Interval:
        """The 95% interval of the rate."""
        return wilson(self.alarmed, self.nights)


def calibrate(series: Sequence[Series], *, orders: int = 20, seed: int = 0, options: Options = _USUAL) -> Calibration:
    """Judge the nights of some series in `orders` random orders, each of which takes as long as judging them once."""
    taken = [_without_changes(one, options) for one in series if len(one.points) >= FEWEST]
    nights = alarmed = 0
    random = np.random.default_rng(seed)
    longest = max((len(one.points) for one in taken), default=0)
    of_any = {point.night for one in taken for point in one.points[FEWEST_BEFORE:]}
    for _ in range(orders):
        blocks = random.permutation(-(-longest // _BLOCK))
        shuffled = [_in_order(one, blocks) for one in taken]
        changes = judge(shuffled, seed=int(random.integers(2**31)), options=options).changes
        scales = [scale_of(one.metric) for one in shuffled]
        figures = [night_figures(one, scale) for one, scale in zip(shuffled, scales, strict=True)]
        jumped = mornings_with_jumps(shuffled, scales, figures)
        alarmed += len(jumped | {change.seen for change in changes if change.kind != "jump"})
        nights += len(of_any)
    return Calibration(nights=nights, alarmed=alarmed, series=len(taken))


def _without_changes(series: Series, options: Options) -> Series:
    """The longest stretch of a series' nights between two changes."""
    changes = judge([series], options=options).changes
    place = {point.night: at for at, point in enumerate(series.points)}
    bounds = sorted({0, len(series.points), *(place[change.night] for change in changes)})
    begin, end = max(pairwise(bounds), key=lambda stretch: stretch[1] - stretch[0])
    return replace(series, points=series.points[begin:end])


def _in_order(series: Series, blocks: np.ndarray) -> Series:
    """The series with its values moved between nights in blocks, alike for every series: a bad night affects them all."""
    count = len(series.points)
    order = [at for block in blocks.tolist() for at in range(block * _BLOCK, min((block + 1) * _BLOCK, count))]
    points: list[Point] = [
        replace(point, values=series.points[other].values) for point, other in zip(series.points, order, strict=True)
    ]
    return replace(series, points=tuple(points))
