"""Which metrics moved, in which night, by how much; and the smallest change that would be found.

Decisions are made night by night (`scan`), on night figures: the Hodges-Lehmann estimate of a night's runs. The runs of a night
share the machine's state, so they are one observation, not several.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from results.trends.chance import t_of_normal
from results.trends.drifts import drift_start
from results.trends.edivisive import MIN_SEGMENT
from results.trends.findings import Finding, Findings, Judged, Kind
from results.trends.jumps import JUMPS_ALPHA, jump, smallest_jump
from results.trends.newest import newest_jumps, usual_spreads
from results.trends.remarks import FEWEST, notes
from results.trends.scales import Scale, scale_of
from results.trends.scan import REACH, Accepted, Confirmed, Scanned, certainty, inflation, noise_of, scan
from results.trends.series import Metric, Series

Array = NDArray[np.float64]

NIGHTS_OF_A_YEAR: Final = 365
_POWER: Final = 1.6449
"""The normal deviate that is exceeded with a probability of 5%: an effect this far beyond the bound is found with 95%."""
_NIGHTS_AFTER: Final = 5
_INTERVAL: Final = 1.96
_OF_LEAST: Final = 0.25
"""The spread is taken to be at least this share of the smallest change that counts; a smaller one would gain nothing."""
_GOES_ON: Final = 30
"""A drift that is found again within this many nights is the same one, continuing."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of a judgement."""

    false_alarms_per_year: float = 0.5
    """Over all series together, if there is a night every day and nothing ever changes."""


@dataclass(frozen=True, kw_only=True)
class _Row:
    """A series prepared for computing."""

    series: Series
    scale: Scale
    values: Array
    """One figure for each night, on the scale."""
    seed: int

    @property
    def last(self) -> str:
        """The last night; empty if there is none."""
        return self.series.points[-1].night if self.series.points else ""


def judge(series: Sequence[Series], *, seed: int = 0, options: Options = Options()) -> Findings:
    """Judge all series together, corrected for their number.

    The same series and seed give the same findings, in whatever order the series are given.
    """
    places = sorted(range(len(series)), key=lambda at: _identity(series[at]))  # sums of floats depend on their order
    rows = [_row(series[at], seed) for at in places]
    alpha = options.false_alarms_per_year / NIGHTS_OF_A_YEAR
    newest = max((one.points[-1] for one in series if one.points), key=lambda point: point.began_utc, default=None)
    measured = Counter(point.night for one in series for point in one.points)
    scanned = _scanned(rows, alpha)
    changes: list[Finding] = []
    judged: dict[int, Judged] = {}
    figures = [scanned.aligned[at, : len(row.values)] for at, row in enumerate(rows)]
    changes += newest_jumps([row.series for row in rows], [row.scale for row in rows], figures)
    beside = _beside(rows, figures)
    for at, row in enumerate(rows):
        accepted = [change for change in scanned.changes if change.row == at]
        aligned = figures[at]
        changes += _findings(row, aligned, accepted)
        in_one = _worse(row, aligned, smallest_jump(row.scale, aligned, beside[at].usual, beside[at].of_jumps))
        in_five = _smallest(row, aligned, measured[row.last], alpha)
        if in_five is not None and in_one is not None:
            in_five = min(in_five, in_one)  # a change that one night shows, five nights show
        judged[places[at]] = Judged(
            series=row.series,
            smallest=in_five,
            smallest_at_once=in_one,
            notes=notes(row.series, series),
        )
    changes.sort(key=_first_to_read)
    return Findings(
        changes=tuple(changes),
        judged=tuple(judged[at] for at in range(len(series))),
        newest=None if newest is None else newest.night,
        correction=(
            f"Holm's procedure over the {measured[newest.night] if newest else 0:,} series of a night, at {alpha:.2%}:"
            f" in a year of nights without a change, {options.false_alarms_per_year:g} false alarms are to be expected over all"
            " series together."
            f" Jumps are corrected by Benjamini and Hochberg's over the drills, each night at {JUMPS_ALPHA:.1%}."
        ),
    )


class _Beside(NamedTuple):
    """What the rows that were measured in a row's last night say about it."""

    usual: float
    """The spread of its metric, as a multiple of the usual one."""
    of_jumps: int
    """The number of rows for which its jump is corrected if it is the only one."""


def _beside(rows: Sequence[_Row], figures: Sequence[Array]) -> list[_Beside]:
    """By row. Machines that share a history, and baselines that have ended, say nothing about each other's noise."""
    measured: dict[str, list[int]] = {row.last: [] for row in rows}
    for at, row in enumerate(rows):
        for night in {point.night for point in row.series.points} & measured.keys() or {""}:
            measured[night].append(at)
    found: dict[tuple[str, Metric], _Beside] = {}
    for night, of_night in measured.items():
        metrics = [rows[at].series.metric for at in of_night]
        usual, drills = usual_spreads(metrics, [figures[at] for at in of_night]), Counter(metrics)
        found |= {(night, metric): _Beside(usual[metric], len(usual) * drills[metric]) for metric in usual}
    return [found[row.last, row.series.metric] for row in rows]


def _identity(series: Series) -> tuple[str, str, str]:
    return series.drill, series.metric.name, series.baseline


def night_figures(series: Series, scale: Scale) -> Array:
    """One figure for each night, on the scale: the Hodges-Lehmann estimate, the median of the means of all pairs of its runs.

    J. L. Hodges and E. L. Lehmann, "Estimates of location based on rank tests", Ann. Math. Stat. 34 (1963): nearly as efficient
    as the mean, and robust against outliers in up to three of ten runs.
    """
    figures = np.empty(len(series.points))
    counts = np.array([len(point.values) for point in series.points])
    for count in np.unique(counts):
        nights = np.flatnonzero(counts == count)
        runs = scale.forward(np.array([series.points[night].values for night in nights]))
        one, other = np.triu_indices(int(count))
        figures[nights] = np.median((runs[:, one] + runs[:, other]) / 2, axis=1)
    return figures


def _row(series: Series, seed: int) -> _Row:
    scale = scale_of(series.metric)
    key = f"{seed}\0{series.drill}\0{series.metric.name}\0{series.baseline}"
    return _Row(series=series, scale=scale, values=night_figures(series, scale), seed=zlib.crc32(key.encode()))


def _scanned(rows: Sequence[_Row], alpha: float) -> Scanned:
    values = np.zeros((len(rows), max((len(row.values) for row in rows), default=0)))
    nights = np.full(values.shape, -1, np.int64)
    numbers: dict[str, int] = {}
    for at, row in enumerate(rows):
        values[at, : len(row.values)] = row.values
        nights[at, : len(row.values)] = [numbers.setdefault(point.night, len(numbers)) for point in row.series.points]
    floors = np.array([_floor(row) for row in rows])

    def counts(row: int, before: float, after: float) -> bool:
        scale = rows[row].scale
        return scale.counts(scale.back(before), scale.back(after))

    def confirm(row: int, together: NDArray[np.intp], nights: Array) -> Confirmed | None:
        metric = rows[row].series.metric
        same = [nights[other] for other in together if rows[other].series.metric == metric]
        jumped = jump(rows[row].scale, nights[row], same, fewest=MIN_SEGMENT)
        return None if jumped is None else Confirmed(jumped.count, jumped.p)

    return scan(values, nights, floors, alpha=alpha, counts=counts, confirm=confirm, seeds=[row.seed for row in rows])


def _floor(row: _Row) -> float:
    level = float(np.median(row.values)) if len(row.values) else 0.0
    return max(_OF_LEAST * row.scale.least(row.scale.back(level)), 1e-9)


def _findings(row: _Row, aligned: Array, accepted: Sequence[Accepted]) -> list[Finding]:
    """A series' changes with kinds, levels and intervals. A drift that was found again while it continued is one finding."""
    bounds = [0, *(change.first_after for change in accepted), len(row.values)]
    found: list[Finding] = []
    at = 0
    while at < len(accepted):
        last, begin = at, max(bounds[at], bounds[at + 1] - REACH)
        rising = None
        for until in range(at, len(accepted)):
            if until > at and accepted[until].first_after - accepted[until - 1].seen > _GOES_ON:
                break
            steps = [change.first_after - begin for change in accepted[at : until + 1]]
            start = drift_start(row.values[begin : accepted[until].seen + 1], steps)
            if start is not None:
                last, rising = until, begin + start
        first = bounds[at + 1] if rising is None else rising
        found.append(
            _finding(row, aligned, accepted[at], "shift" if rising is None else "drift", first, begin, bounds[last + 2])
        )
        at = last + 1
    return found


def _finding(row: _Row, aligned: Array, change: Accepted, kind: Kind, first: int, begin: int, end: int) -> Finding:
    before = row.values[begin:first]
    after = row.values[first:end][-MIN_SEGMENT:] if kind == "drift" else row.values[first:end]
    noise = noise_of(aligned[None, max(0, change.seen + 1 - REACH) : change.seen + 1], np.array([_floor(row)]))
    error = float(noise.spread[0]) * math.sqrt(
        sum(float(inflation(noise.correlation, np.float64(len(part)))[0]) / len(part) for part in (before, after))
    )
    scale, back = row.scale, row.scale.back
    low, high = float(np.median(before)), float(np.median(after))
    half = t_of_normal(_INTERVAL, float(noise.degrees[0])) * error
    bounds = sorted(scale.effect(back(low), back(high + by)) for by in (-half, half))
    return Finding(
        series=row.series,
        kind=kind,
        night=row.series.points[first].night,
        seen=row.series.points[change.seen].night,
        before=back(low),
        after=back(high),
        effect=scale.effect(back(low), back(high)),
        interval=(bounds[0], bounds[1]),
        p_adjusted=change.p_adjusted,
        worse=(back(high) > back(low)) == (row.series.metric.better == "lower"),
    )


def _smallest(row: _Row, aligned: Array, family: int, alpha: float) -> float | None:
    """See `Judged.smallest`."""
    if len(aligned) < FEWEST:
        return None
    floor = _floor(row)
    noise = noise_of(aligned[None, -REACH:], np.array([floor]))
    before = min(len(aligned), REACH)
    error = sum(float(inflation(noise.correlation, np.float64(nights))[0]) / nights for nights in (_NIGHTS_AFTER, before))
    bound = t_of_normal(certainty(family, alpha), float(noise.degrees[0])) + _POWER
    least = row.scale.least(row.scale.back(float(np.median(aligned[-REACH:]))))
    return _worse(row, aligned, max(bound * float(noise.spread[0]) * math.sqrt(error), least))


def _worse(row: _Row, aligned: Array, difference: float | None) -> float | None:
    """The relative change for the worse that corresponds to a difference on the scale, at the level of the last nights.

    None if the metric cannot change that far.
    """
    if difference is None:
        return None
    scale, level = row.scale, float(np.median(aligned[-REACH:]))
    worse = 1.0 if row.series.metric.better == "lower" or scale.transform == "share" else -1.0
    before, after = scale.back(level), scale.back(level + worse * difference)
    if after == before or (scale.transform == "share" and after < 0):  # no possible change would show
        return None
    return abs(scale.effect(before, after))


def _first_to_read(finding: Finding) -> tuple[float, bool, float, str, str, str]:
    began = next(point.began_utc for point in finding.series.points if point.night == finding.night)
    series = finding.series
    return -began.timestamp(), not finding.worse, -abs(finding.effect), series.drill, series.metric.name, series.baseline
