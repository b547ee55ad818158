"""What nights with the same code, one right after another, tell of the judgement on this machine: an A/A test.

Whatever is found in them is a false alarm, and how far they scatter says how small a change would be found. They tell it before
there are nights to be judged. Nights of one evening resemble each other more than those of a year, so the history's own
nights tell more once there are enough of them.
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
    """The most that any figure was measured in."""
    last_utc: datetime
    """When the last of them began."""
    calibration: Calibration
    judged: tuple[Judged, ...]
    """Each figure, and how small a change of it would be found."""


def aa_nights(series: Iterable[Series], *, orders: int) -> AANights | None:
    """The A/A test that nights came to which ran for it; of each figure the last so many with one code.

    They are judged in so many random orders. None if there are too few of them.
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
    """Its last nights at one commit that are enough to be judged."""
    found = None
    for _, of_commit in groupby(series.points, key=lambda point: point.commit):
        points = tuple(of_commit)
        if len(points) >= FEWEST:
            found = replace(series, points=points)
    return found
