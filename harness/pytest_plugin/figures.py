"""Adds a drill's figures to pytest-benchmark: its JSON, its tables, and `--benchmark-compare-fail`.

pytest-benchmark has min, max, mean, median, stddev and iqr. For a drill it also gets `p50`, `p99`, `p99.9` and `recovery`, in
seconds like its own. They are in the "stats" of its JSON, so that saved runs can be compared; each has its own table; and
`--benchmark-compare-fail=p99:10%` fails on them.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pytest_benchmark.stats import Metadata, Stats

from results.analysis.metrics import Metrics

FIELDS: Final = ("p50", "p99", "p99.9", "recovery")

Row = Mapping[str, Any]
"""A benchmark as pytest-benchmark passes it to its table: statistics and descriptions by name."""


def add_figures(stats: Stats, metrics: Metrics) -> None:
    """Add a drill's figures to its statistics, without those that are None."""
    in_s = {
        "p50": None if metrics.p50_ms is None else metrics.p50_ms / 1e3,
        "p99": None if metrics.p99_ms is None else metrics.p99_ms / 1e3,
        "p99.9": None if metrics.p999_ms is None else metrics.p999_ms / 1e3,
        "recovery": metrics.recovery_s,
    }
    found = {name: value for name, value in in_s.items() if value is not None}
    vars(stats).update(found, fields=(*stats.fields, *found))  # JSON and table are made from `fields`


def tables(groups: Sequence[tuple[str | None, Sequence[Row]]]) -> Iterator[tuple[str, list[Row]]]:
    """A table for each figure of a group's drills. All columns of a row hold the figure, since a run has only one."""
    for name, rows in groups:
        for field in FIELDS:
            found = [_row(row, float(row[field])) for row in rows if field in row]
            if found:
                yield f"{name}, {field}" if name else field, found


def _row(row: Row, value: float) -> Row:
    same = dict.fromkeys(("min", "max", "mean", "median"), value)
    return {**row, **same, "stddev": 0.0, "iqr": 0.0, "outliers": "0;0", "ops": 1 / value if value else 0.0}


@dataclass(frozen=True, kw_only=True)
class Gate:
    """The limit that `--benchmark-compare-fail` sets for one figure."""

    field: str
    most: float
    relative: bool
    """Whether `most` is a percentage of the saved figure; otherwise it is in seconds."""

    def fails(self, current: Metadata, compared: Row) -> str | None:
        """Why the gate fails, for pytest-benchmark's list; None if it passes, or if this is not a drill."""
        now, before = getattr(current.stats, self.field, None), compared.get(self.field)
        if now is None and before is None:
            return None
        if now is None or before is None:
            return f"{self.field} cannot be compared: it was not measured {'now' if now is None else 'in the saved run'}"
        grown = now - before
        if self.relative:
            grown = grown / before * 100 if before else math.inf if now else 0.0
        unit = "%" if self.relative else " s"
        if grown <= self.most:
            return None
        return f"{self.field} grew by {grown:.4g}{unit}, from {before:.6g} s to {now:.6g} s; the limit is {self.most:g}{unit}"


def gate_of(text: str) -> Gate:
    """Parse `p99:10%`, or `recovery:0.05` in seconds."""
    found = re.fullmatch(r"([a-z0-9.]+):([0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?)(%?)", text)
    if found is None or found[1] not in FIELDS:
        raise argparse.ArgumentTypeError(f"Could not parse value: {text!r}; expected p99:10%, or recovery:0.05 in seconds")
    return Gate(field=found[1], most=float(found[2]), relative=bool(found[3]))
