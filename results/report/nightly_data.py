"""The data that the nights' page draws, small enough for a thousand nights: integers, mostly differences, compressed.

The last nights are kept one by one. Older ones are grouped: the median of the nights' medians, and the smallest and largest
value of any run. Numbers are rounded to a hundredth of the level, or finer if the series is less noisy.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.model.slo import SLO
from results.report.page import compressed
from results.trends.findings import Finding
from results.trends.nights import Night, RunOutcome, changed_facts
from results.trends.series import Series

RECENT_NIGHTS: Final = 90
"""How many of a chart's points are drawn one by one, and how many nights have causes in full and links."""
_GROUPS: Final = 90
"""The most groups of older points."""
_CAUSE_CHARACTERS: Final = 300

SeriesKey = tuple[str, str, str]
"""Drill, metric and baseline."""

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """The points of one baseline. `at` and `mid` hold differences to the previous entry."""

    at: list[int]
    """Numbers of nights."""
    mid: list[int]
    """Medians of the nights' runs, in units of the chart's `quantum`."""
    below: list[int]
    """How far a point's smallest value is below its median; empty if no point has a spread."""
    above: list[int]


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one drill."""

    metric: str
    unit: str
    quantum: float
    parts: list[Part]
    """The baseline of the last night comes last."""
    levels: list[tuple[int, int, int, int]]
    """The first and last night between two moves under the last baseline, and the levels then, which differ for a drift."""
    moves: list[int]
    """The nights at which the level moved."""
    slos: list[tuple[int, str]]
    """Thresholds, with their texts."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One drill: a row of the matrix, and its charts."""

    drill: str
    cells: str
    """A letter for each night: p(ass), s(lo missed), f(ailed), u(nknown, at least in part), m(ixed), or a space if there was no
    run."""
    why: dict[int, int]
    """By night, an index into the data's `causes`."""
    links: dict[int, str]
    """By night, the page of a run."""
    charts: list[Chart]


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the page's script gets."""

    nights: list[str]
    commits: list[str]
    """Each commit once."""
    commit: list[int]
    """By night, an index into `commits`."""
    broke_off: dict[int, str]
    """By night, why."""
    changed: dict[int, str]
    """By night, how its facts differ from the previous night's."""
    causes: list[str]
    rows: list[Row]


@dataclass(frozen=True, kw_only=True)
class Source:
    """What the data are computed from."""

    nights: Sequence[Night]
    series: Mapping[str, Sequence[Series]]
    """By drill, all of its series."""
    changes: Mapping[SeriesKey, Sequence[Finding]]
    """By series, how it moved, the earliest change first."""
    links: Mapping[str, str]
    """By a run's folder, the address of its page."""


def packed(data: Data) -> str:
    """The data as the page embeds them."""
    return compressed(msgspec.json.encode(data))


def data_of(source: Source, drills: Sequence[str]) -> Data:
    """The data of these drills, in this order."""
    nights = source.nights
    numbers = {night.name: number for number, night in enumerate(nights)}
    commits = {commit: number for number, commit in enumerate(dict.fromkeys(night.commit for night in nights))}
    changed = {number: changed_facts(*pair) for number, pair in enumerate(pairwise(nights), start=1)}
    causes: dict[str, int] = {}
    runs: dict[str, dict[int, list[RunOutcome]]] = {drill: {} for drill in drills}
    for number, night in enumerate(nights):
        for run in night.runs:
            if run.drill in runs:
                runs[run.drill].setdefault(number, []).append(run)
    rows = [_row(drill, runs[drill], source, numbers, causes) for drill in drills]
    return Data(
        nights=list(numbers),
        commits=list(commits),
        commit=[commits[night.commit] for night in nights],
        broke_off={numbers[night.name]: night.why for night in nights if night.state == "broke off"},
        changed={number: text for number, text in changed.items() if text},
        causes=list(causes),
        rows=rows,
    )


def _row(
    drill: str,
    runs: Mapping[int, Sequence[RunOutcome]],
    source: Source,
    numbers: Mapping[str, int],
    causes: dict[str, int],
) -> Row:
    cells, why, links = [" "] * len(numbers), {}, {}
    for number, of_night in runs.items():
        cells[number] = _cell(of_night)
        recent = number >= len(numbers) - RECENT_NIGHTS
        if cells[number] != "p" or (recent and any(run.not_counted for run in of_night)):
            why[number] = causes.setdefault(_cause(of_night, in_full=recent), len(causes))
        if recent and (
            link := next((source.links[run.run_dir] for run in _gravest_first(of_night) if run.run_dir in source.links), "")
        ):
            links[number] = link
    slos = dict.fromkeys(slo.text for of_night in list(runs.values())[-1:] for run in of_night for slo in run.slos)
    by_metric: dict[str, list[Series]] = {}
    for series in source.series.get(drill, ()):
        by_metric.setdefault(series.metric.name, []).append(series)
    thresholds = [SLO.parse(text) for text in slos]
    return Row(
        drill=drill,
        cells="".join(cells),
        why=why,
        links=links,
        charts=[
            _chart(of_metric, source, numbers, [slo for slo in thresholds if slo.metric == name])
            for name, of_metric in by_metric.items()
        ],
    )


def _gravest_first(runs: Sequence[RunOutcome]) -> list[RunOutcome]:
    return sorted(runs, key=lambda run: (run.as_expected, run.verdict == "unknown", run.verdict != "fail"))


def _cell(runs: Sequence[RunOutcome]) -> str:
    """How the runs of a night ended, as one letter."""
    judged = [run for run in runs if run.verdict != "unknown"]
    if not judged:
        return "u"
    wrong = [run for run in judged if not run.as_expected]
    if not wrong:
        return "p" if len(judged) == len(runs) else "u"
    if len(wrong) < len(judged):
        return "m"
    return "s" if all(run.verdict == "slo" for run in wrong) else "f"


def _cause(runs: Sequence[RunOutcome], *, in_full: bool) -> str:
    """Why the night was not a plain pass. For old nights only the checks' names: their findings would fill the page."""
    wrong = [run for run in runs if not run.as_expected]
    if not wrong:
        return f"not compared: {next(run.not_counted for run in runs if run.not_counted)}"
    said = _gravest_first(wrong)[0].why
    text = said if in_full else said.partition(":")[0]
    several = f"{len(wrong)} of {len(runs)} runs: " if len(runs) > 1 else ""
    return several + (text if len(text) <= _CAUSE_CHARACTERS else f"{text[: _CAUSE_CHARACTERS - 1]}…")


def _chart(of_metric: Sequence[Series], source: Source, numbers: Mapping[str, int], slos: Sequence[SLO]) -> Chart:
    """`of_metric` are the series of one metric, one for each baseline."""
    ordered = sorted(of_metric, key=lambda series: series.points[-1].began_utc)
    last = ordered[-1]
    points = [_Points.of(series, numbers) for series in ordered]
    missing = 1 - np.concatenate([each.low for each in points]) if last.metric.unit == "" else np.empty(0)
    quantum = _quantum(np.concatenate([each.mid for each in points]), missing)
    changes = source.changes.get((last.drill, last.metric.name, last.baseline), ())
    moves = [numbers[change.night] for change in changes]
    drawn = max(sum(len(each.at) for each in points) - RECENT_NIGHTS, 0)
    return Chart(
        metric=last.metric.name,
        unit=last.metric.unit,
        quantum=quantum,
        parts=[each.grouped(math.ceil(drawn / _GROUPS), len(numbers) - RECENT_NIGHTS).part(quantum) for each in points],
        levels=list(_levels(points[-1], changes, moves, quantum)),
        moves=moves,
        slos=[(round(slo.threshold / quantum), slo.text) for slo in slos],
    )


def _levels(
    points: _Points, changes: Sequence[Finding], moves: Sequence[int], quantum: float
) -> Iterator[tuple[int, int, int, int]]:
    """The level between two moves, as a line."""
    bounds = [0, *(int(np.searchsorted(points.at, move)) for move in moves), len(points.at)]
    for (begin, end), change in zip(pairwise(bounds), (None, *changes), strict=True):
        if begin >= end:
            continue
        drifts = change is not None and change.kind == "drift"
        ends = (change.before, change.after) if change and drifts else (float(np.median(points.mid[begin:end])),) * 2
        yield int(points.at[begin]), int(points.at[end - 1]), round(ends[0] / quantum), round(ends[1] / quantum)


@dataclass(frozen=True)
class _Points:
    """The points of one series as arrays of one length."""

    at: _Ints
    mid: _Floats
    low: _Floats
    high: _Floats

    @classmethod
    def of(cls, series: Series, numbers: Mapping[str, int]) -> _Points:
        at = np.array([numbers[point.night] for point in series.points], dtype=np.int64)
        if all(len(point.values) == 1 for point in series.points):
            mid = np.array([point.values[0] for point in series.points])
            return cls(at, mid, mid, mid)
        values = [point.values for point in series.points]
        mid = np.array([median(one) for one in values])
        return cls(at, mid, np.array([min(one) for one in values]), np.array([max(one) for one in values]))

    def grouped(self, size: int, before: int) -> _Points:
        """The same points, with those of nights before number `before` in groups of `size`."""
        old = int(np.searchsorted(self.at, before))
        if size <= 1 or old <= 1:
            return self
        rest = old % size  # the first group is smaller, so that all others are full
        begins = np.arange(rest, old, size)
        middles, mid = self.at[begins + size // 2], np.median(self.mid[rest:old].reshape(-1, size), axis=1)
        if rest:
            begins = np.concatenate(([0], begins))
            middles, mid = np.concatenate((self.at[[rest // 2]], middles)), np.concatenate(([np.median(self.mid[:rest])], mid))
        return _Points(
            np.concatenate((middles, self.at[old:])),
            np.concatenate((mid, self.mid[old:])),
            np.concatenate((np.minimum.reduceat(self.low[:old], begins), self.low[old:])),
            np.concatenate((np.maximum.reduceat(self.high[:old], begins), self.high[old:])),
        )

    def part(self, quantum: float) -> Part:
        mid = np.rint(self.mid / quantum).astype(np.int64)
        below = mid - np.rint(self.low / quantum).astype(np.int64)
        above = np.rint(self.high / quantum).astype(np.int64) - mid
        spread = bool(below.any() or above.any())
        return Part(
            at=_differences(self.at),
            mid=_differences(mid),
            below=below.tolist() if spread else [],
            above=above.tolist() if spread else [],
        )


def _differences(values: _Ints) -> list[int]:
    differences: list[int] = np.diff(values, prepend=0).tolist()
    return differences


def _quantum(values: _Floats, missing: _Floats) -> float:
    """A power of ten that is fine enough to draw these values, and to show them with three digits.

    Of shares, nothing that is missing to 1 is rounded off.
    """
    level = float(np.median(np.abs(values)))
    low, high = np.percentile(values, (5, 95))
    least = float(missing[missing > 0].min(initial=math.inf)) / 5
    wanted = [size for size in (level / 100, float(high - low) / 20, least) if level * 1e-9 < size < math.inf]
    return float(10.0 ** math.floor(math.log10(min(wanted)))) if wanted else 1e-3
