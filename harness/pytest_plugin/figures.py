"""A drill's own figures beside pytest-benchmark's statistics: in its JSON, its table, and `--benchmark-compare-fail`.

pytest-benchmark knows min, max, mean, median, stddev and iqr. Of a drill it is also told `p50`, `p99`, `p99.9` and `recovery`,
in seconds as its own. They are in the "stats" of its JSON, so that a saved run can be compared with; each has a table of its
own; and `--benchmark-compare-fail=p99:10%` fails on them.
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
"""A benchmark as pytest-benchmark hands it to its table: statistics and descriptions by name."""


def add_figures(stats: Stats, metrics: Metrics) -> None:
    """Give a drill's statistics its figures, those that it has."""
    in_s = {
        "p50": None if metrics.p50_ms is None else metrics.p50_ms / 1e3,
        "p99": None if metrics.p99_ms is None else metrics.p99_ms / 1e3,
        "p99.9": None if metrics.p999_ms is None else metrics.p999_ms / 1e3,
        "recovery": metrics.recovery_s,
    }
    found = {name: value for name, value in in_s.items() if value is not None}
    vars(stats).update(found, fields=(*stats.fields, *found))  # its JSON and its table are made from `fields`


def tables(groups: Sequence[tuple[str | None, Sequence[Row]]]) -> Iterator[tuple[str, list[Row]]]:
    """A table for each figure of a group's drills. All columns of a row hold the figure: there is one of it in a run."""
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
    """What `--benchmark-compare-fail` asks of one figure."""

    field: str
    most: float
    relative: bool
    """Whether `most` is in percent of the saved figure, or in seconds."""

    def fails(self, current: Metadata, compared: Row) -> str | None:
        """Why the gate is not passed, for pytest-benchmark's list; None if it is, or if this is no drill."""
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
        return f"{self.field} grew by {grown:.4g}{unit}, from {before:.6g} s to {now:.6g} s; {self.most:g}{unit} are allowed"


def gate_of(text: str) -> Gate:
    """Read `p99:10%` or `recovery:0.05`, in seconds."""
    found = re.fullmatch(r"([a-z0-9.]+):([0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?)(%?)", text)
    if found is None or found[1] not in FIELDS:
        raise argparse.ArgumentTypeError(f"Could not parse value: {text!r}; such as p99:10% or recovery:0.05, in seconds")
    return Gate(field=found[1], most=float(found[2]), relative=bool(found[3]))
