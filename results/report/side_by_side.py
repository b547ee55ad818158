"""Systems under the same faults, side by side: what each node's clients saw over time, and in figures.

Runs are compared if their faults were planned alike and each client was bound to one node.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from os.path import commonpath
from typing import Final

import numpy as np
import pandas as pd

from harness.model.fault_window import FaultWindow
from harness.model.history import History
from results.analysis.sides import Answered, Parted, Side, calls_by_node, homes, parted
from results.record.result import Result
from results.report.page_sections import Column, Row, Table
from results.report.phrasing import Mark, count, mark_of, milliseconds, run_mark, share, verdict_word

_SLOT_S: Final = 0.2
_STATES: Final = ("ok", "stale", "unknown", "failed")
"""From the bottom of a lane to its top."""
_TICKS: Final = 8
_STEPS_S: Final = (1, 2, 5, 10, 30, 60, 300)


@dataclass(frozen=True, kw_only=True)
class Lane:
    """One node: for each state, an SVG path over slots of width 1 of the state's share of the calls, stacked up to 1."""

    node: str
    paths: tuple[tuple[str, str], ...]
    tip: str


@dataclass(frozen=True, kw_only=True)
class Band:
    """The time of a fault, in percent of the time axis."""

    left: float
    width: float
    text: str


@dataclass(frozen=True, kw_only=True)
class SystemView:
    """One of the systems that are compared."""

    name: str
    anchor: str
    title: str
    mark: Mark
    word: str
    promises: tuple[tuple[Mark, str], ...]
    """The checks that its drill asks for, and whether they held."""
    lanes: tuple[Lane, ...]
    bands: tuple[Band, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Several systems under one schedule of faults."""

    title: str
    faults: str
    slots: int
    ticks: tuple[tuple[float, str], ...]
    """Positions in percent of the time axis, with their labels in seconds."""
    systems: tuple[SystemView, ...]
    tables: tuple[Table, ...]
    """One for each window."""


Shown = tuple[Result, History, str]
"""A run, and its anchor on the page."""


def comparisons(runs: Sequence[Shown]) -> list[Comparison]:
    """The comparisons among these runs: two or more under the same faults, with each client bound to one node."""
    groups: dict[tuple[object, ...], list[Shown]] = defaultdict(list)
    for result, history, anchor in runs:
        if result.faults:
            plan = tuple((fault.text, fault.targets, fault.from_s, fault.to_s) for fault in result.faults)
            groups[plan].append((result, history, anchor))
    bound = ([_bound(*run) for run in group if homes(run[1])] for group in groups.values() if len(group) > 1)
    return [_comparison(group) for group in bound if len(group) > 1]


@dataclass(frozen=True, kw_only=True)
class _Bound:
    """A run whose clients were each bound to one node."""

    result: Result
    anchor: str
    calls: pd.DataFrame
    """From `calls_by_node`."""
    end_s: float


def _bound(result: Result, history: History, anchor: str) -> _Bound:
    return _Bound(result=result, anchor=anchor, calls=calls_by_node(history), end_s=_end_s(result, history))


def _comparison(runs: Sequence[_Bound]) -> Comparison:
    runs = sorted(runs, key=lambda run: run.result.drill)
    names = [run.result.drill for run in runs]
    common = commonpath([name.rpartition("/")[0] for name in names])
    end_s = max(run.end_s for run in runs)
    labels = [_label(run.result, names, common) for run in runs]
    measured = [(label, parted(run.calls, run.result.faults, run.end_s)) for label, run in zip(labels, runs, strict=True)]
    step_s = next((step for step in _STEPS_S if end_s / step <= _TICKS), _STEPS_S[-1])
    faults = runs[0].result.faults
    return Comparison(
        title=common or "The same faults",
        faults="; ".join(f"{_fault(fault)} from {fault.from_s:g} to {fault.to_s:g} s" for fault in faults),
        slots=math.ceil(end_s / _SLOT_S),
        ticks=tuple((100 * at_s / end_s, f"{at_s}") for at_s in range(0, math.floor(end_s) + 1, step_s)),
        systems=tuple(_system(label, run, end_s) for label, run in zip(labels, runs, strict=True)),
        tables=tuple(_table(fault, measured) for fault in faults),
    )


def _label(result: Result, names: Sequence[str], common: str) -> str:
    """The drill's name without what all names have in common; with the seed, if the drill ran more than once."""
    short = result.drill.removeprefix(f"{common}/")
    return short if names.count(result.drill) == 1 else f"{short}, seed {result.seed}"


def _end_s(result: Result, history: History) -> float:
    planned_s = result.load.seconds if result.load else 0.0
    due_ns = history.load["due_ns"]
    return max(planned_s, float(due_ns.max()) / 1e9 if len(due_ns) else 0.0, 1.0)


def _fault(fault: FaultWindow) -> str:
    return f"{fault.text} {' '.join(fault.targets)}"


# ------------------------------------------------------------------------------------------------------------ the drawing


def _system(name: str, run: _Bound, end_s: float) -> SystemView:
    result = run.result
    return SystemView(
        name=name,
        anchor=run.anchor,
        title=result.title,
        mark=run_mark(result),
        word=verdict_word(result),
        promises=tuple((mark_of(check.valid), check.name) for check in result.checks if check.asked),
        lanes=tuple(_lane(str(node), of_node, math.ceil(end_s / _SLOT_S)) for node, of_node in run.calls.groupby("home")),
        bands=tuple(
            Band(
                left=100 * (fault.injected_s or fault.from_s) / end_s,
                width=100 * max((fault.healed_s or fault.to_s) - (fault.injected_s or fault.from_s), 0) / end_s,
                text=f"{_fault(fault)}: {fault.evidence}",
            )
            for fault in result.faults
        ),
    )


def _lane(node: str, calls: pd.DataFrame, slots: int) -> Lane:
    state = calls["outcome"].astype("string").mask(calls["stale_ms"] > 0, "stale").to_numpy(dtype=object)
    slot = np.clip((calls["sent_ns"].to_numpy() / (_SLOT_S * 1e9)).astype(np.int64), 0, slots - 1)
    counts = np.array([np.bincount(slot[state == name], minlength=slots) for name in _STATES])
    tops = np.cumsum(counts, axis=0) / np.maximum(counts.sum(axis=0), 1)
    bottoms = np.vstack([np.zeros(slots), tops[:-1]])
    paths = [(name, _path(bottom, top)) for name, bottom, top in zip(_STATES, bottoms, tops, strict=True)]
    told = ", ".join(f"{int(total):,} {name}" for name, total in zip(_STATES, counts.sum(axis=1), strict=True) if total)
    return Lane(node=node, paths=tuple((name, path) for name, path in paths if path), tip=f"{node}: {told}")


def _path(bottoms: np.ndarray, tops: np.ndarray) -> str:
    """Rectangles from bottoms to tops, with equal neighbours merged; y grows downwards."""
    parts = []
    low, high = np.round(1 - bottoms, 3), np.round(1 - tops, 3)
    begin = 0
    for end in range(1, len(low) + 1):
        if end < len(low) and low[end] == low[begin] and high[end] == high[begin]:
            continue
        if low[begin] > high[begin]:
            parts.append(f"M{begin} {low[begin]:g}V{high[begin]:g}H{end}V{low[begin]:g}z")
        begin = end
    return "".join(parts)


# -------------------------------------------------------------------------------------------------------------- the table


def _table(fault: FaultWindow, measured: Sequence[tuple[str, list[Parted]]]) -> Table:
    """What clients on the sides of one window saw, by system."""
    names = ("reads done", "writes done", "longest silence", "stale reads", "most behind", "agreed again")
    columns = (
        Column(name="system", tight=True),
        Column(name="clients of", tight=True, code=True),
        *(Column(name=name, number=True) for name in names),
    )
    rows = [
        Row(cells=(system, *_side_cells(side), _agreed(found)) if not place else ("", *_side_cells(side), ""))
        for system, windows in measured
        for found in windows
        if found.window.label == fault.label
        for place, side in enumerate(found.sides)
    ]
    return Table(columns=columns, rows=tuple(rows), title=f"{_fault(fault)}, {fault.from_s:g} to {fault.to_s:g} s")


def _side_cells(side: Side) -> tuple[str, ...]:
    behind = f"{milliseconds(side.stale_ms)}, {count(side.stale_versions, 'version')}" if side.stale_reads else "–"
    return (
        " ".join(side.nodes),
        _answered(side.reads),
        _answered(side.changes),
        f"{side.silent_s:.2f} s",
        f"{side.stale_reads:,}" if side.stale_reads else "–",
        behind,
    )


def _answered(answered: Answered) -> str:
    return "not asked" if answered.share is None else f"{share(answered.share)} of {answered.calls:,}"


def _agreed(found: Parted) -> str:
    return "not seen" if found.agreed_s is None else "at once" if found.agreed_s == 0 else f"after {found.agreed_s:.2f} s"
