"""Remarks on a series: why it is not judged, or what a reader should know about its judgement."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from results.trends.series import Series

FEWEST: Final = 8
"""The fewest nights in which anything but a jump can be found: five, and three after them."""


def notes(series: Series, all_series: Sequence[Series]) -> tuple[str, ...]:
    """The remarks on a series, a line each. `all_series` are those that it is judged together with."""
    if not series.points:
        return ("never measured",)
    same_drill = [one for one in all_series if one.drill == series.drill and one.points]
    others = [one for one in same_drill if one.metric.name == series.metric.name and one.baseline != series.baseline]
    newest = max((one.points[-1] for one in same_drill), key=lambda point: point.began_utc)
    first, last, count = series.points[0], series.points[-1], len(series.points)
    lines = []
    if last.began_utc < newest.began_utc:
        replaced = any(one.points[-1].began_utc > last.began_utc for one in others)
        why = "machine, packages or the drill changed then" if replaced else "the drill ran since, and did not measure it"
        lines.append(f"ends with {last.night}: {why}")
    elif count < FEWEST and any(one.points[0].began_utc < first.began_utc for one in others):
        lines.append(f"a new baseline since {first.night}: earlier nights are not comparable")
    if count == 1:
        lines.append("one night only: nothing to compare it with")
    elif count < FEWEST:
        lines.append(f"{count} nights: only a jump can be told before there are {FEWEST}")
    for earlier, later in pairwise(series.points):
        if later.began_utc < earlier.began_utc:
            lines.append(f"the clock went back before {later.night}: nights are taken in the order in which they were recorded")
            break
    return tuple(lines)
