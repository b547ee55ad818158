"""The result of a load on any HTTP server: what `harness load --json` writes, and what its page is made from."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from harness.model.errors import UsageError
from harness.model.verdict import RunVerdict
from results.analysis.failures import FailureGroup
from results.analysis.judge import SLOResult
from results.analysis.metrics import Metrics
from results.record.result import Machine

LOAD_RESULT: Final = "load.json"
"""The name of the file in a load's run folder."""

StepOutcome = Literal["held", "missed", "unsteady", "generator", "unclear"]
"""Every SLO was met; one was missed; the queue kept growing; the generator was the bottleneck; it cannot be judged."""


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """The calls that ended between two moments of the load. A percentile is None if none was answered in between."""

    from_s: float
    to_s: float
    ok: int
    failed: int
    unknown: int
    """Calls without an answer. Wrong answers count as `failed` here."""
    p50_ms: float | None
    p99_ms: float | None
    p999_ms: float | None


class LoadStep(msgspec.Struct, frozen=True, kw_only=True):
    """One try of one rate by `--find-max`."""

    rate_per_s: float
    outcome: StepOutcome
    why: str
    done_per_s: float
    p50_ms: float | None
    p99_ms: float | None
    service_p99_ms: float | None
    availability: float | None
    busy_share: float
    """The share of the time in which the generator had work, 0 to 1; close to 1 it is the bottleneck."""
    wrong: int = 0
    """Answers that were not as expected."""


class LoadResult(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a finished load. Latency counts from when a call was due, service time from when it was sent."""

    url: str
    verdict: RunVerdict
    why: str
    asked_per_s: float
    arrivals: str
    seconds: float
    connections: int
    depth: int
    processes: int
    seed: int
    slos: tuple[SLOResult, ...]
    metrics: Metrics
    """Percentiles are null if they have too few samples, or if no call succeeded."""
    service_p50_ms: float | None
    service_p99_ms: float | None
    send_lag_p99_ms: float | None
    """How late the generator itself sent calls that were due and had a connection free."""
    read_lag_p99_ms: float | None
    """An upper bound of how long answers waited until the generator read them."""
    failed: int
    wrong: int
    unknown: int
    failures: tuple[FailureGroup, ...]
    cpu_s: float
    busy_share: float
    """The share of the time in which the generator had work, 0 to 1; close to 1 it is the bottleneck."""
    blocked_share: float
    """The share of the time in which calls waited because every connection was waiting for an answer, 0 to 1."""
    latency_histogram: str
    """HdrHistogram V2, compressed, base64; nanoseconds."""
    service_histogram: str
    series: tuple[Interval, ...]
    rerun: str
    """The command line that repeats the load."""
    started_utc: str
    """ISO 8601, to the second."""
    machine: Machine
    versions: dict[str, str]
    """Package name to version."""
    commit: str
    max_rate_per_s: float | None = None
    """The highest rate at which every SLO was met; None if there is none, or if it was not searched for."""
    limit: Literal["server", "generator"] | None = None
    """What limited that rate; None if it was not searched for or cannot be told."""
    steps: tuple[LoadStep, ...] = ()


def encode(result: LoadResult) -> bytes:
    """The result as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n"


def decode(text: bytes, source: str) -> LoadResult:
    """The result that `encode` wrote. Raises `UsageError`, naming `source`, if the text is not one."""
    try:
        return msgspec.json.decode(text, type=LoadResult)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{source} is not a load's result: {error}.") from error
