"""The result of a run of a training script: what `harness train --json` writes."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.model.errors import UsageError
from harness.model.fault_window import FaultWindow
from harness.model.slo import SLO
from harness.model.verdict import RunVerdict
from results.analysis.goodput import Phases, TrainMetrics
from results.analysis.judge import SLOResult, judge_percentile, judge_windows, observed, undecided
from results.analysis.recovery import Recovery
from results.record.result import CheckResult, Machine

TRAIN_RESULT: Final = "train.json"
"""The name of the file in the run's folder."""
SCRIPT_LOG: Final = "script.log"
"""The name of the file in the same folder with the script's output."""


class LinkResult(msgspec.Struct, frozen=True, kw_only=True):
    """The traffic of one link: bytes received from both ends, and bytes sent on."""

    link: str
    connections: int | None
    """None if they were not counted."""
    received_bytes: int
    sent_bytes: int


class TrainResult(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was concluded from a run. All times in seconds count from when the first step began."""

    command: str
    seed: int
    verdict: RunVerdict
    why: str
    ranks: int
    exit_code: int | None
    """The exit code of the command; None if the harness ended it."""
    checks: tuple[CheckResult, ...]
    slos: tuple[SLOResult, ...]
    metrics: TrainMetrics
    faults: tuple[FaultWindow, ...]
    recoveries: tuple[Recovery, ...]
    """The time from each fault until every rank had done a step that it began after the fault."""
    phases: tuple[Phases, ...]
    links: tuple[LinkResult, ...]
    rerun: str
    started_utc: str
    duration_s: float
    machine: Machine
    versions: dict[str, str]
    commit: str
    fault_plane: str


def encode(result: TrainResult) -> bytes:
    """The result as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n"


def decode(text: bytes, source: str) -> TrainResult:
    """The result that `encode` wrote. Raises `UsageError`, naming `source`, if the text is not one."""
    try:
        return msgspec.json.decode(text, type=TrainResult)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{source} is not the result of a training script: {error}.") from error


def judged(slo: SLO, metrics: TrainMetrics, recoveries: tuple[Recovery, ...], steps_ms: NDArray[np.float64]) -> SLOResult:
    """The result of one SLO. Percentiles and `max` are of step times, which are `steps_ms`, ascending."""
    if slo.metric == "recovery":
        return _judged_recovery(slo, recoveries)
    if slo.percentile is not None:
        if not len(steps_ms):
            return undecided(slo, "no step stands")
        return judge_percentile(slo, slo.percentile, steps_ms, "steps")
    known = {
        "goodput": metrics.goodput,
        "ettr": metrics.ettr,
        "lost_steps": float(metrics.lost_steps),
        "bytes_per_step": metrics.bytes_per_step,
        "stall": metrics.longest_stall_s,
        "max": metrics.step_max_ms,
    }
    value = known[slo.metric]
    if value is None:
        return undecided(slo, _unknown(slo.metric, metrics))
    return observed(slo, value)


def _unknown(metric: str, metrics: TrainMetrics) -> str:
    """Why a figure has no value."""
    if metric == "goodput" and metrics.clean_step_ms is None:
        return f"too few clean steps ({metrics.clean_steps}) before the first fault"
    return "the bytes between the ranks were not counted" if metric == "bytes_per_step" else "not known"


def _judged_recovery(slo: SLO, recoveries: tuple[Recovery, ...]) -> SLOResult:
    if not recoveries:
        return undecided(slo, "no fault acted, so there is nothing to recover from")
    return judge_windows(slo, recoveries, "recovered")
