"""Which series jumped in the newest nights, and which night made that certain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from results.trends.chance import benjamini_hochberg
from results.trends.findings import Finding
from results.trends.jumps import BEARING_OUT, JUMPS_ALPHA, LONE, MOST_AFTER, Jump, jump, usual_spread
from results.trends.scales import Scale, scale_of
from results.trends.series import Metric, Series

Array = NDArray[np.float64]

_A_MOMENT: Final = timedelta(microseconds=1)


def newest_jumps(series: Sequence[Series], scales: Sequence[Scale], figures: Sequence[Array]) -> list[Finding]:
    """The jumps that the newest night still shows. `figures` are the nights' figures with earlier changes removed.

    The jumps of one night are corrected together: by Benjamini and Hochberg's procedure over the drills that measure a metric,
    since a change of the system moves several drills in the same night, each of which is evidence for the others; and by
    Bonferroni's over the metrics, since a drill's p99 is no evidence for its maximum. A single night of a single figure that no
    other one corroborates must be more certain: see `LONE`.
    """
    seen: dict[tuple[int, str], str] = {}
    findings: list[Finding] = []
    for night, measured in _by_night(series, MOST_AFTER)[-MOST_AFTER:]:
        findings = []
        for at, (jumped, p) in _certain(series, scales, figures, measured).items():
            first = series[at].points[measured[at] - jumped.count].night
            certain = seen.setdefault((at, first), night)
            findings.append(_finding(series[at], scales[at], jumped, p, first, certain))
    return findings


def mornings_with_jumps(series: Sequence[Series], scales: Sequence[Scale], figures: Sequence[Array]) -> set[str]:
    """All nights that showed a jump on the morning after them."""
    return {night for night, measured in _by_night(series) if _certain(series, scales, figures, measured)}


def usual_spreads(metrics: Sequence[Metric], figures: Sequence[Array]) -> dict[Metric, float]:
    """By metric, the spread of its nights as a multiple of the usual one."""
    of_metric: dict[Metric, list[Array]] = {}
    for metric, nights in zip(metrics, figures, strict=True):
        of_metric.setdefault(metric, []).append(nights)
    return {metric: usual_spread(scale_of(metric), nights) for metric, nights in of_metric.items()}


def _certain(
    series: Sequence[Series], scales: Sequence[Scale], figures: Sequence[Array], measured: Mapping[int, int]
) -> dict[int, tuple[Jump, float]]:
    """The significant jumps with their adjusted p, by series. `measured` says how many nights of each series are considered."""
    of_metric: dict[Metric, list[int]] = {}
    for at in measured:
        of_metric.setdefault(series[at].metric, []).append(at)
    jumped: dict[int, tuple[Jump, float]] = {}
    for drills in of_metric.values():
        nights = {at: figures[at][: measured[at]] for at in drills}
        rows = list(nights.values())
        jumps = {at: jump(scales[at], nights[at], rows) for at in drills}
        found = {
            at: one for at, one in jumps.items() if one is not None and _runs_agree(series[at], scales[at], measured[at], one)
        }
        adjusted = len(of_metric) * benjamini_hochberg(np.array([one.p for one in found.values()]), len(drills))
        jumped |= {at: (one, float(p)) for (at, one), p in zip(found.items(), adjusted, strict=True)}
    worse = {at: _is_worse(series[at].metric, scales[at], one) for at, (one, _) in jumped.items()}
    bearing_out = Counter(worse[at] for at, (one, _) in jumped.items() if one.p <= BEARING_OUT)
    alpha = {
        at: JUMPS_ALPHA if one.count > 1 or bearing_out[worse[at]] > (one.p <= BEARING_OUT) else JUMPS_ALPHA / LONE
        for at, (one, _) in jumped.items()
    }
    return {at: (one, p) for at, (one, p) in jumped.items() if p <= alpha[at]}


def _is_worse(metric: Metric, scale: Scale, jumped: Jump) -> bool:
    rose = scale.back(jumped.level + jumped.difference) > scale.back(jumped.level)
    return rose == (metric.better == "lower")


def _runs_agree(series: Series, scale: Scale, count: int, jumped: Jump) -> bool:
    """Whether four of five runs of each jumped night are at least half as far from the level: one stalled run is not a jump."""
    for point in series.points[count - jumped.count : count]:
        runs = (scale.forward(np.array(point.values)) - jumped.level) * np.sign(jumped.difference)
        if np.partition(runs, len(runs) // 5)[len(runs) // 5] < abs(jumped.difference) / 2:
            return False
    return True


def _by_night(series: Sequence[Series], newest: int | None = None) -> list[tuple[str, dict[int, int]]]:
    """The nights in order, each with the series measured in it and how many nights these had by then.

    All nights, or only the `newest` ones of each series.
    """
    began = _in_order(series)
    measured: dict[tuple[datetime, str], dict[int, int]] = {}
    for at, one in enumerate(series):
        begin = 0 if newest is None else max(0, len(one.points) - newest)
        for count, point in enumerate(one.points[begin:], begin + 1):
            measured.setdefault((began[point.night], point.night), {})[at] = count
    return [(night, measured[at, night]) for at, night in sorted(measured)]


def _in_order(series: Sequence[Series]) -> dict[str, datetime]:
    """When each night began, or just after the night that was recorded before it: the clock may have gone back."""
    began = {point.night: point.began_utc for one in series for point in one.points}
    for _ in series:  # each pass may move nights that other series measured in between
        moved = False
        for one in series:
            for earlier, later in pairwise(one.points):
                if began[later.night] < began[earlier.night]:
                    began[later.night] = began[earlier.night] + _A_MOMENT
                    moved = True
        if not moved:
            break
    return began


def _finding(series: Series, scale: Scale, jumped: Jump, p: float, night: str, seen: str) -> Finding:
    level, back = jumped.level, scale.back
    was, now = back(level), back(level + jumped.difference)
    low, high = sorted(scale.effect(was, back(level + jumped.difference + by)) for by in (-jumped.half, jumped.half))
    return Finding(
        series=series, kind="jump", night=night, seen=seen, before=was, after=now, effect=scale.effect(was, now),
        interval=(low, high), p_adjusted=p, worse=_is_worse(series.metric, scale, jumped),
    )  # fmt: skip
