"""The result of a comparison of two systems: what `harness compare --json` writes."""

from __future__ import annotations

import math

import msgspec

from results.record.result import Machine
from results.trends.pairs import Compared, Verdict


class ComparedMetric(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one drill. Levels are in the metric's unit; effect and interval are B's relative to A's."""

    drill: str
    metric: str
    unit: str
    pairs: int
    a: float
    b: float
    effect: float | None
    """None if A's level is 0."""
    interval: tuple[float | None, float | None]
    """The 95% interval of the effect; a bound is None if there are too few pairs for one."""
    p_adjusted: float
    verdict: Verdict


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A pair that does not count, and why."""

    pair: int
    why: str


class ComparisonResult(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was concluded from a comparison."""

    version: int = 1
    a: str
    b: str
    drills: tuple[str, ...]
    exit_code: int
    why: str
    pairs: int
    """How many pairs count."""
    most_pairs: int
    alpha: float
    """The probability that comparing a system with itself finds a difference."""
    metrics: tuple[ComparedMetric, ...]
    left_out: tuple[LeftOut, ...]
    wrong: tuple[str, ...]
    """Runs that showed wrong behaviour."""
    interrupted: bool
    seed: int
    started_utc: str
    machine: Machine
    rerun: str


def metric_of(compared: Compared) -> ComparedMetric:
    """The JSON form of one compared metric."""
    low, high = (bound if math.isfinite(bound) else None for bound in compared.interval)
    return ComparedMetric(
        drill=compared.subject.drill,
        metric=compared.subject.metric.name,
        unit=compared.subject.metric.unit,
        pairs=compared.pairs,
        a=compared.a,
        b=compared.b,
        effect=compared.effect if math.isfinite(compared.effect) else None,
        interval=(low, high),
        p_adjusted=compared.p_adjusted,
        verdict=compared.verdict,
    )


def encode(result: ComparisonResult) -> bytes:
    """The result as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n"
