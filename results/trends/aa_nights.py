"""An A/A test of how nights are judged on this machine: nights with the same code, run back to back.

Whatever is found in them is a false alarm, and their spread shows how small a change would be found. This is known before there
are any nights to judge. But nights of one evening resemble each other more than those of a year, so the history's own nights
are better evidence once there are enough of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from results.trends.calibration import Calibration, calibrate
from results.trends.findings import Judged
from results.trends.judging import judge
from results.trends.remarks import FEWEST
from results.trends.series import Series


@dataclass(frozen=True, kw_only=True)
class AANights:
    """Nights that differ by chance alone."""

    nights: int
    """How many nights the figure with the most nights has."""
    last_utc: datetime
    """When the last of the nights began."""
    calibration: Calibration
    judged: tuple[Judged, ...]
    """Each figure, with the smallest change that would be found."""


def aa_nights(series: Iterable[Series], *, orders: int) -> AANights | None:
    """The result of an A/A test, from the nights of each figure that ran the latest code with enough nights.

    The nights are judged in `orders` random orders. None if no figure has enough nights.
    """
    taken = [found for one in series if (found := _of_one_code(one)) is not None]
    if not taken:
        return None
    return AANights(
        nights=max(len(one.points) for one in taken),
        last_utc=max(one.points[-1].began_utc for one in taken),
        calibration=calibrate(taken, orders=orders),
        judged=judge(taken).judged,
    )


def _of_one_code(series: Series) -> Series | None:
    """The nights of the latest commit that has enough of them to be judged; None if no commit has."""
    found = None
    for _, of_commit in groupby(series.points, key=lambda point: point.commit):
        points = tuple(of_commit)
        if len(points) >= FEWEST:
            found = replace(series, points=points)
    return found
