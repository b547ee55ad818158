"""Series of what nights measured: one metric of one drill, over comparable nights."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Better = Literal["lower", "higher"]
"""Which direction of a metric is better."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric: its name, its unit, and which direction is better."""

    name: str
    """As SLOs name it: `p99`, `availability`, `recovery`, …"""
    unit: str
    """`ms`, `s`, `1/s`, `MiB`, …; empty for a share from 0 to 1."""
    better: Better


@dataclass(frozen=True, kw_only=True)
class Point:
    """One night of one metric."""

    night: str
    """The night's name in the history."""
    began_utc: datetime
    """When the night began, with its time zone, which is UTC."""
    commit: str
    values: tuple[float, ...]
    """One for each run of the night that measured the metric. Never empty."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """One metric of one drill over the nights of one baseline, the earliest night first."""

    drill: str
    metric: Metric
    baseline: str
    """A digest of what must be equal for nights to be comparable: the machine, the versions of Python and of packages, the
    fault plane, and the drill's definition. Each digest has a series of its own."""
    points: tuple[Point, ...]
